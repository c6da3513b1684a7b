//! Real metadata: the shipped functions find exactly the blocks that e2fsprogs says are in use, and on damaged copies of the
//! same blocks all engines agree. Needs the shared image scripts and e2fsprogs; skipped without.
mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Engines, assemble, cases, jits, seed};
use fastrand::Rng;
use tickc::Jit;
use udf_verify::{AsmOptions, Inputs, Status, Unverified, type_names};

/// The image and the oracle's lines, if they can be made here.
fn image(name: &str, dir: &Path) -> Option<(File, String)> {
    let scripts = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/disk"));
    let oracle = fs::read_to_string(scripts.join(format!("oracle/{name}.tsv"))).ok();
    let made = Command::new("bash").arg(scripts.join(format!("{name}.sh"))).env("OUT", dir).output().ok();
    let file = File::open(dir.join(format!("{name}.img"))).ok();
    let (Some(oracle), Some(true), Some(file)) = (oracle, made.map(|output| output.status.success()), file) else {
        println!("skipped: {name} cannot be made here");
        return None;
    };
    // Another version of e2fsprogs makes another image, which the oracle is not about.
    let sum = Command::new("sha256sum").arg(format!("{name}.img")).current_dir(dir).output().ok()?.stdout;
    let sum = String::from_utf8(sum).ok()?;
    let manifest = fs::read_to_string(scripts.join("MANIFEST.sha256")).unwrap_or_default();
    if !manifest.lines().any(|line| line.split_whitespace().next() == sum.split_whitespace().next()) {
        println!("skipped: {name} made here is not the one in the manifest");
        return None;
    }
    Some((file, oracle))
}

/// A function in every engine, with the names of its types.
fn function(text: &str, block: u64, inode: Option<u64>, jits: &[Jit]) -> (Engines, Vec<String>) {
    let mut constants = vec![("BS".to_owned(), i128::from(block))];
    constants.extend(inode.map(|size| ("INODE".to_owned(), i128::from(size))));
    let function = Unverified::assemble_with(text, &AsmOptions { constants }).expect("the shipped text");
    let (program, names) = function.decode().expect("decodes");
    (Engines::new(&function, jits).expect("verifies"), type_names(&program, &names))
}

/// Blocks that were read, each with the number of its function.
type Seen = Vec<(usize, Vec<u8>)>;

/// From the inode tables down: block → role, and every metadata block read.
fn crawl(image: &File, tables: &[u64], block: u64, inode: u64, jits: &[Jit]) -> (BTreeMap<u64, String>, Seen) {
    let mut engines = [
        function(include_str!("../programs/itable.udf"), block, Some(inode), jits),
        function(include_str!("../programs/ind1.udf"), block, None, jits),
        function(include_str!("../programs/extent.udf"), block, None, jits),
    ];
    let mut found = BTreeMap::new();
    let mut seen = Vec::new();
    let mut todo: Vec<(u64, String)> = tables.iter().map(|&table| (table, "ITABLE".to_owned())).collect();
    while let Some((number, ty)) = todo.pop() {
        // A pointer block owns blocks of the next level, which its function calls DATA; so does a node of a tree of a folder.
        let (engine, leaf) = match ty.trim_start_matches("DIR_") {
            "ITABLE" => (0, ""),
            "IND1" => (1, "DATA"),
            "IND2" => (1, "IND1"),
            "IND3" => (1, "IND2"),
            "EXT" => (2, "DATA"),
            _ => continue,
        };
        let mut bytes = vec![0; block as usize];
        image.read_exact_at(&mut bytes, number * block).expect("a block of the image");
        let (run, types) = &mut engines[engine];
        let outcome = run.run(&bytes, &Inputs::default());
        assert_eq!(outcome.status, Status::Ok, "block {number} as {ty}");
        seen.push((engine, bytes));
        for tuple in outcome.tuples {
            let name = &types[tuple.type_index as usize];
            let child = match (name.as_str(), ty.starts_with("DIR_")) {
                ("DATA", true) if leaf == "DATA" => "DIR".to_owned(),
                ("DATA", in_dir) if engine != 0 => format!("{}{leaf}", if in_dir { "DIR_" } else { "" }),
                ("EXT", true) => "DIR_EXT".to_owned(),
                (name, _) => name.to_owned(),
            };
            for owned in tuple.start..tuple.start + tuple.count {
                let role = child.trim_start_matches("DIR_").to_lowercase();
                assert!(found.insert(owned, role).is_none(), "block {owned} has two owners");
                todo.push((owned, child.clone()));
            }
        }
    }
    (found, seen)
}

/// Compares with the oracle, then damages what was read.
fn check(name: &str, block: u64, inode: u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let Some((image, oracle)) = image(name, dir.path()) else { return };
    let jits = jits();
    let (mut tables, mut expected) = (Vec::new(), BTreeMap::new());
    for line in oracle.lines().skip(1) {
        let [number, "A", _, role] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let number = number.parse().expect("a block");
        match role {
            "itable" => tables.push(number),
            "data" | "dir" | "ind1" | "ind2" | "ind3" | "ext" | "xattr" => {
                expected.insert(number, role.to_owned());
            }
            _ => {}
        }
    }
    let (found, seen) = crawl(&image, &tables, block, inode, &jits);
    assert!(found.len() > 1000);
    let differs = found.iter().find(|(number, role)| expected.get(number) != Some(role));
    assert_eq!(differs, None, "the oracle says otherwise");
    assert_eq!(found.len(), expected.len());
    damage(&seen, block, inode, &jits);
}

fn damage(seen: &[(usize, Vec<u8>)], block: u64, inode: u64, jits: &[Jit]) {
    let texts = ["itable", "ind1", "extent"].map(|name| {
        fs::read_to_string(format!("{}/programs/{name}.udf", env!("CARGO_MANIFEST_DIR"))).expect("shipped")
    });
    let mut engines = texts.map(|text| {
        let inode = text.contains("INODE").then_some(inode);
        function(&text, block, inode, jits).0
    });
    // Those that are not all zero.
    let seen: Vec<_> = seen.iter().filter(|(_, bytes)| bytes.iter().any(|&b| b != 0)).collect();
    let mut rng = Rng::with_seed(seed());
    let mut not_ok = 0;
    for _ in 0..cases(600) {
        let (engine, bytes) = seen[rng.usize(..seen.len())];
        let mut bytes = bytes.clone();
        for _ in 0..rng.u32(1..20) {
            let near = if rng.bool() { 16 } else { bytes.len() };
            let at = rng.usize(..near);
            bytes[at] = if rng.bool() { rng.u8(..) } else { bytes[at] ^ 1 << rng.u32(..8) };
        }
        // Any function on any block.
        let engine = if rng.u32(..4) == 0 { rng.usize(..3) } else { *engine };
        not_ok += u32::from(engines[engine].run(&bytes, &Inputs::default()).status != Status::Ok);
    }
    assert!(not_ok > 0, "no damage was noticed");
}

#[test]
fn ext2_with_three_levels_of_pointers() {
    check("ext2-ind3-1k", 1024, 128);
}

#[test]
fn ext4_with_extents() {
    check("ext4-default-4k", 4096, 256);
}

#[test]
fn a_forged_extent_header_fails() {
    let jits = jits();
    let function = assemble(include_str!("../programs/extent.udf"));
    let mut engines = Engines::new(&function, &jits).expect("verifies");
    let mut node = vec![0; 4096];
    assert_eq!(engines.run(&node, &Inputs::default()).status, Status::Fail(1));
    node[..4].copy_from_slice(&[0x0a, 0xf3, 0xff, 0xff]);
    // 65,535 entries in a block of 340.
    assert!(matches!(engines.run(&node, &Inputs::default()).status, Status::Fault { .. }));
}
