//! First in, first out.

use super::Policy;
use crate::members::{Members, Place};

/// Runs whoever has waited longest: the base order itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fifo;

impl Policy for Fifo {
    fn name(&self) -> &'static str {
        "fifo"
    }

    #[inline]
    fn pick(&mut self, members: &Members) -> Place {
        members.first()
    }
}
