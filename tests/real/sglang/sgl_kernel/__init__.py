"""What stands in for SGLang's compiled kernels, of which there is no build for a CPU without a GPU's libraries.

SGLang imports names from here when it starts. With --attention-backend torch_native on a CPU without AMX it calls none; one that it
does call says so. Its adapters ask for pinned memory, which needs a CUDA driver: they get plain memory.
"""
import functools
import importlib.abc
import importlib.machinery
import sys
import types

import torch

__version__ = "0.0.0+none"


class Absent:
    def __init__(self, name):
        self.name = name

    def __call__(self, *_, **__):
        raise NotImplementedError(f"sgl_kernel.{self.name} has no CPU build")

    def __getattr__(self, name):
        return absent(f"{self.name}.{name}")


def absent(name):
    if name.rpartition(".")[2].startswith("__"):
        raise AttributeError(name)
    return Absent(name)


def __getattr__(name):
    return absent(name)


class AnySubmodule(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.startswith("sgl_kernel.") else None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = absent
        return module

    def exec_module(self, module):
        pass


def unpinned(make):
    @functools.wraps(make)
    def made(*args, pin_memory=False, **kwargs):
        return make(*args, **kwargs)
    return made


sys.meta_path.append(AnySubmodule())
if not torch.cuda.is_available():
    for maker in ("tensor", "empty", "zeros", "ones", "full", "empty_like", "zeros_like", "arange"):
        setattr(torch, maker, unpinned(getattr(torch, maker)))
    torch.Tensor.pin_memory = lambda self, *_, **__: self
