//! The stack and the fabric together: recorded answers of Linux, random scripts over bad links, faults.

mod faults;
mod lossy;
mod messages;
mod oracle;
mod segments;
mod thin;
mod wire;
