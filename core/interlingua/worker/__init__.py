"""Worker processes: frameworks run in children, under their own interpreters, and never in ours."""

from interlingua.worker.failures import WorkerCrashed, WorkerFailure, WorkerHung, WorkerOutOfMemory, WorkerRaised
from interlingua.worker.pool import close_shared, shared
from interlingua.worker.process import Reply, Worker

__all__ = [
    "Reply",
    "Worker",
    "WorkerCrashed",
    "WorkerFailure",
    "WorkerHung",
    "WorkerOutOfMemory",
    "WorkerRaised",
    "close_shared",
    "shared",
]
