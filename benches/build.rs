//! Declares the cfg `madsim`, so that the compiler's check of cfg names knows it. The crate inherits the workspace's lint table, which
//! cannot be added to from here; this is the other place where cargo takes such a declaration.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(madsim)");
}
