//! Every way in which tokio runs a task: see `tests/tasks.rs`.
