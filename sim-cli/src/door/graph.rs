//! What a project's tests are linked with, as cargo resolves it.

use super::metadata;
use crate::args::CargoArgs;
use crate::exit::Stop;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What matters of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Graph {
    /// The crate `sim` of this project.
    pub(super) has_sim: bool,
    /// tokio 1.x with its runtime.
    pub(super) has_tokio: bool,
    /// rustix, which makes system calls past libc unless it is told otherwise.
    pub(super) has_rustix: bool,
    pub(super) target_folder: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    #[serde(default)]
    workspace_default_members: Vec<String>,
    resolve: Resolve,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    dependencies: Vec<Named>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
    features: Vec<String>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Graph {
    pub(super) fn read(args: &CargoArgs, folder: Option<&Path>, host: &str) -> Result<Self, Stop> {
        let output = metadata(args, folder, host).output().map_err(|error| {
            Stop::usage(format!("cargo cannot be started: {error}: put it on PATH"))
        })?;
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return Err(Stop::build());
        }
        let metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| Stop::defect(format!("cargo metadata cannot be read: {error}")))?;
        Ok(Self::of(&metadata, args))
    }

    fn of(metadata: &Metadata, args: &CargoArgs) -> Self {
        let packages: BTreeMap<&str, &Package> =
            metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let nodes: BTreeMap<&str, &Node> =
            metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let linked = linked(&selected(metadata, args, &packages), &packages, &nodes);
        let has = |is_meant: &dyn Fn(&Package, &Node) -> bool| {
            linked.iter().any(|id| {
                packages
                    .get(id)
                    .zip(nodes.get(id))
                    .is_some_and(|(package, node)| is_meant(package, node))
            })
        };
        Self {
            has_sim: has(&|package, _| {
                package.name == "sim"
                    && package.dependencies.iter().any(|named| named.name == "sim-core")
            }),
            has_tokio: has(&|package, node| {
                package.name == "tokio"
                    && package.version.starts_with("1.")
                    && node.features.iter().any(|feature| feature == "rt")
            }),
            has_rustix: has(&|package, _| package.name == "rustix"),
            target_folder: metadata.target_directory.clone(),
        }
    }
}

/// The packages whose tests are meant.
fn selected<'m>(
    metadata: &'m Metadata,
    args: &CargoArgs,
    packages: &BTreeMap<&str, &Package>,
) -> Vec<&'m str> {
    let is_named = |id: &str, specs: &[String]| {
        packages.get(id).is_some_and(|package| specs.iter().any(|spec| means(spec, &package.name)))
    };
    let members = metadata.workspace_members.iter().map(String::as_str);
    if !args.package.is_empty() {
        return members.filter(|id| is_named(id, &args.package)).collect();
    }
    if args.workspace || metadata.workspace_default_members.is_empty() {
        return members.filter(|id| !is_named(id, &args.exclude)).collect();
    }
    metadata.workspace_default_members.iter().map(String::as_str).collect()
}

/// Whether a package id specification means a package: `name`, `name@1.0`, `path+file:///x#name`.
fn means(spec: &str, name: &str) -> bool {
    let fragment = spec.rsplit_once('#').map_or(spec, |(_, fragment)| fragment);
    let spec = fragment.split(['@', ':']).next().unwrap_or(fragment);
    spec == name
}

/// What is linked into the tests of `roots`: neither what builds it nor what procedural macros are made of.
fn linked<'m>(
    roots: &[&'m str],
    packages: &BTreeMap<&str, &Package>,
    nodes: &BTreeMap<&str, &'m Node>,
) -> BTreeSet<&'m str> {
    let mut seen: BTreeSet<&str> = roots.iter().copied().collect();
    let mut next: Vec<&str> = roots.to_vec();
    while let Some(id) = next.pop() {
        let is_root = roots.contains(&id);
        let is_macro = packages.get(id).is_some_and(|package| {
            package.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
        });
        let Some(node) = nodes.get(id).filter(|_| is_root || !is_macro) else { continue };
        for dependency in &node.deps {
            let is_linked = dependency.dep_kinds.iter().any(|kind| match kind.kind.as_deref() {
                None => true,
                Some("dev") => is_root,
                Some(_) => false,
            });
            if is_linked && seen.insert(&dependency.pkg) {
                next.push(&dependency.pkg);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn package(id: &str, kind: &str, dependencies: &[&str]) -> Value {
        let dependencies: Vec<_> =
            dependencies.iter().map(|name| json!({ "name": name })).collect();
        json!({ "id": id, "name": id, "version": "1.54.1", "dependencies": dependencies, "targets": [{ "kind": [kind] }] })
    }

    fn node(id: &str, features: &[&str], deps: &[(&str, Option<&str>)]) -> Value {
        let deps: Vec<_> = deps
            .iter()
            .map(|(pkg, kind)| json!({ "pkg": pkg, "dep_kinds": [{ "kind": kind }] }))
            .collect();
        json!({ "id": id, "features": features, "deps": deps })
    }

    fn graph(nodes: Vec<Value>, features: CargoArgs) -> (bool, bool, bool) {
        let metadata = json!({
            "packages": [
                package("app", "lib", &[]), package("other", "lib", &[]), package("tokio", "lib", &[]),
                package("macros", "proc-macro", &[]), package("rustix", "lib", &[]), package("sim", "lib", &["sim-core"]),
            ],
            "workspace_members": ["app", "other"],
            "workspace_default_members": ["app"],
            "resolve": { "nodes": nodes },
            "target_directory": "/t",
        });
        let graph = Graph::of(&serde_json::from_value(metadata).unwrap(), &features);
        (graph.has_sim, graph.has_tokio, graph.has_rustix)
    }

    #[test]
    fn only_what_is_linked_into_the_selected_tests_counts() {
        let nodes = || {
            vec![
                node("app", &[], &[("macros", None), ("tokio", Some("dev"))]),
                node("macros", &[], &[("rustix", None)]),
                node("other", &[], &[("sim", None), ("tokio", Some("build"))]),
                node("sim", &[], &[]),
                node("rustix", &[], &[]),
                node("tokio", &["rt", "net"], &[]),
            ]
        };
        assert_eq!(graph(nodes(), CargoArgs::default()), (false, true, false));
        let other =
            CargoArgs { package: vec![String::from("other@0.1.0")], ..CargoArgs::default() };
        assert_eq!(graph(nodes(), other), (true, false, false));
        let all = CargoArgs { workspace: true, ..CargoArgs::default() };
        assert_eq!(graph(nodes(), all), (true, true, false));
    }

    #[test]
    fn a_tokio_without_its_runtime_has_no_tasks_to_order() {
        let nodes = vec![
            node("app", &[], &[("tokio", None)]),
            node("tokio", &["sync", "io-util"], &[("rustix", None)]),
            node("rustix", &[], &[]),
        ];
        assert_eq!(graph(nodes, CargoArgs::default()), (false, false, true));
    }
}
