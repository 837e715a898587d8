// What a sweep found, from its points. Private to core/metrics; summary.cpp calls it last.
#pragma once

#include "metrics/summary.hpp"

namespace tokometer {

SweepFigures sweep_figures(const Manifest::Sweep& sweep, const Summary& summary);

}  // namespace tokometer
