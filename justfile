# The commands of this repository; `just` lists them.

default:
    @just --list

# Format, lints, documentation.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

test:
    cargo test --workspace

# Re-bless the expected messages of wrong programs.
bless:
    TRYBUILD=overwrite cargo test -p tickc --test compile_fail

# The cycles of YARDSTICKS: generating code, and running it.
report:
    cargo run --release -p benches --bin report

bench:
    cargo bench -p benches

tour:
    cargo run --release

doc:
    cargo doc --workspace --no-deps --open

# What CI runs.
ci:
    .ci/run
