//! Host names and their addresses: what a resolver of the world answers.

use crate::address::Addrs;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The names of a world. Names compare without regard to case and to a final dot (RFC 4343).
///
/// ```
/// use sim_net::Names;
///
/// let mut names = Names::new();
/// names.insert("Bank", &["10.0.0.1".parse().unwrap()]);
/// assert_eq!(names.resolve("bank.").unwrap(), ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
/// assert_eq!(names.resolve("10.9.9.9").unwrap().len(), 1);
/// assert!(names.resolve("nobody").is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Names {
    entries: BTreeMap<Box<str>, Addrs>,
    /// The answer to the latest numeric name, so that every answer can be borrowed.
    literal: [IpAddr; 1],
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

impl Names {
    /// Names of a world that knows `localhost` alone.
    #[must_use]
    pub fn new() -> Self {
        let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        Self {
            entries: BTreeMap::from([("localhost".into(), Addrs::from(&local[..]))]),
            literal: [IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
        }
    }

    /// Gives `name` these addresses, in the order in which they are tried.
    pub fn insert(&mut self, name: &str, addrs: &[IpAddr]) {
        self.entries.insert(normal(name).into(), addrs.into());
    }

    /// Forgets `name`; whether it was known.
    pub fn remove(&mut self, name: &str) -> bool {
        self.entries.remove(&*normal(name)).is_some()
    }

    /// The addresses of `name`; a numeric address is its own. `None` is getaddrinfo(3)'s `EAI_NONAME`.
    pub fn resolve(&mut self, name: &str) -> Option<&[IpAddr]> {
        if let Ok(literal) = name.parse() {
            self.literal = [literal];
            return Some(&self.literal);
        }
        self.entries.get(&*normal(name)).map(|addrs| &**addrs)
    }
}

/// The form in which names compare: most are in it already.
fn normal(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_change_and_go() {
        let mut names = Names::new();
        assert_eq!(names.resolve("LOCALHOST").unwrap().len(), 2);
        names.insert("db", &["10.0.0.1".parse().unwrap()]);
        names.insert("db", &["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()]);
        assert_eq!(names.resolve("db").unwrap()[1], "fd00::2".parse::<IpAddr>().unwrap());
        assert!(names.remove("DB."));
        assert!(!names.remove("db"));
        assert_eq!(names.resolve("db"), None);
        assert_eq!(names.resolve("::1").unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
    }
}
