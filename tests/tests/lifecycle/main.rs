//! The life of tasks, against a slow model and against users' code that calls back at every moment.
//!
//! - `script`, `model`: random scripts of spawn, abort, wake, panic, join, drop and yield, run by the
//!   engine and by a reference model that must agree with it step by step.
//! - `hooks`: one test for each place where the engine runs the user's code and could be re-entered.
//! - `hosts`: crash, kill, restart, pause.

mod hooks;
mod hosts;
mod model;
mod script;
