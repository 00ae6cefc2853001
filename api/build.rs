//! rust-embed reads the built page; without this line a new file would not cause a rebuild.

fn main() {
    println!("cargo:rerun-if-changed=page/dist");
}
