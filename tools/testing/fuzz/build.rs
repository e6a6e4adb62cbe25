// SPDX-License-Identifier: GPL-2.0

//! The driver's metadata parser with a smaller payload.
//!
//! ```text
//!   drivers/.../types/metadata.rs --> ADD_VGPU_TYPE_SIZE = 1280 --> OUT_DIR/metadata.rs
//! ```
//! A file that is right has a third of a megabyte of payload per blob, whose check sum would be all
//! that fuzzing tests. Everything else is the driver's own text.

use std::{env, fs, path::Path};

const SOURCE: &str = "../../../drivers/vfio/pci/nvidia_vgpu/types/metadata.rs";
const LARGE: &str = "ADD_VGPU_TYPE_SIZE: usize = 334_344;";
const SMALL: &str = "ADD_VGPU_TYPE_SIZE: usize = 1_280;";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    let text = fs::read_to_string(SOURCE).expect(SOURCE);
    assert_eq!(
        text.matches(LARGE).count(),
        1,
        "{SOURCE}: size of the payload"
    );
    // Comments of a module cannot be included into one.
    let text = text.replace(LARGE, SMALL).replace("\n//!", "\n//");
    let out = env::var("OUT_DIR").expect("set by cargo");
    fs::write(Path::new(&out).join("metadata.rs"), text).expect("write metadata.rs");
}
