//! Regions: labels placed one after the other, in loops and in arms.

use tickc::prelude::*;

use super::stmts::block;
use super::values::{bool, f32, f64, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize};
use super::{AnyVar, Env};
use crate::ast::*;

pub(super) fn region(region: &Region, env: &Env) -> Code<'static, ()> {
    let labels: Vec<Label> = (0..=region.segments.len()).map(|_| Label::new()).collect();
    let (end, passed, limit) = (labels[region.segments.len()], env.passed, region.limit);
    let mut env = env.clone();
    env.labels.extend(&labels);
    let counters: Vec<Var<u32>> = region.segments.iter().map(|_| Var::local()).collect();
    let mut code = tick!(());
    for (segment, &n) in region.segments.iter().zip(&counters) {
        if let Segment::Loop(..) = segment {
            code = tick!({ @code; @n = 0; });
        }
    }
    for ((segment, label), n) in region.segments.iter().zip(&labels).zip(counters) {
        let (here, leave) = (label.here(), end.goto());
        let here = tick!({ @here; @passed += 1; if @passed > lift!(limit) { @leave } });
        let next = match segment {
            Segment::Block(body) => {
                let body = block(body, &env);
                tick!({ @here; @body; })
            }
            Segment::Loop(rounds, is_while, a, b) => {
                let (rounds, a, b) = (*rounds, block(a, &env), block(b, &env));
                if *is_while {
                    tick!(while @n < lift!(rounds) { @n += 1; @a; @here; @b; })
                } else {
                    tick!(loop { @n += 1; if @n > lift!(rounds) { break; } @a; @here; @b; })
                }
            }
            Segment::Arm(of) => arm(of, here, &env),
        };
        code = tick!({ @code; @next; });
    }
    let here = end.here();
    tick!({ @code; @here; })
}

fn arm(arm: &Arm, here: Code<'static, ()>, env: &Env) -> Code<'static, ()> {
    match env.vars[arm.var] {
        AnyVar::I64(_) => i64::arm(arm, here, env),
        AnyVar::I32(_) => i32::arm(arm, here, env),
        AnyVar::I16(_) => i16::arm(arm, here, env),
        AnyVar::I8(_) => i8::arm(arm, here, env),
        AnyVar::Isize(_) => isize::arm(arm, here, env),
        AnyVar::U64(_) => u64::arm(arm, here, env),
        AnyVar::U32(_) => u32::arm(arm, here, env),
        AnyVar::U16(_) => u16::arm(arm, here, env),
        AnyVar::U8(_) => u8::arm(arm, here, env),
        AnyVar::Usize(_) => usize::arm(arm, here, env),
        AnyVar::F64(_) => f64::arm(arm, here, env),
        AnyVar::F32(_) => f32::arm(arm, here, env),
        AnyVar::Bool(_) => bool::arm(arm, here, env),
        AnyVar::Constant(_) => unreachable!("a constant is not assigned"),
    }
}
