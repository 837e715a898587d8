"""Other people's clients, two floors and ours, behind one interface: client.py says what a client is to the bench."""


def everyone():
    """All clients, in the order of the table."""
    from .aiperf_run import Aiperf
    from .floor_loops import Aiohttp, Httpx
    from .guidellm_run import Guidellm
    from .inference_perf_run import InferencePerf
    from .tokometer_run import Tokometer
    from .vllm_bench import VllmBench
    from .wrk import Wrk
    return [Tokometer(), Aiohttp(), Httpx(), VllmBench(), InferencePerf(), Aiperf(), Guidellm(), Wrk()]
