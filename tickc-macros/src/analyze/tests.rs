//! Names, captures, effects and last uses, each told by what a quotation expands to or is refused for.

use proc_macro2::{Punct, Spacing, TokenStream};
use quote::quote;

use super::{Analysis, analyze, effects, mention};
use crate::ast::*;
use crate::parse;

fn resolved(tokens: TokenStream) -> (Quotation, Analysis) {
    let mut quotation = parse::quotation(tokens).unwrap_or_else(|error| panic!("{error}"));
    let analysis = analyze(&mut quotation).unwrap_or_else(|errors| panic!("{}", errors[0]));
    (quotation, analysis)
}

fn errors(tokens: TokenStream) -> Vec<String> {
    let mut quotation = parse::quotation(tokens).unwrap_or_else(|error| panic!("{error}"));
    analyze(&mut quotation).err().unwrap_or_default().iter().map(syn::Error::to_string).collect()
}

fn dollar() -> Punct {
    Punct::new('$', Spacing::Alone)
}

/// How many mentions are last uses.
fn takes(tokens: TokenStream) -> usize {
    resolved(tokens).1.takes.len()
}

#[test]
fn captures_are_hoisted_unless_they_mention_own_names() {
    let d = dollar();
    assert_eq!(resolved(quote!(@a + #d(b.c) + @(f(a)))).1.hoists.len(), 3);
    assert_eq!(resolved(quote!(|x: i64| @(f(x)))).1.hoists.len(), 0);
    assert_eq!(resolved(quote!({ let x = @x; x })).1.hoists.len(), 1, "the `let` is not in scope of its own value");
    assert_eq!(
        resolved(quote!(|x: i64| @(self.x) + @(x::f()) + @(f("{y}")))).1.hoists.len(),
        3,
        "fields and paths are no mentions"
    );
    assert_eq!(resolved(quote!(|x: i64| @(f(format!("{x:?}"))))).1.hoists.len(), 0);
    assert_eq!(resolved(quote!({ for k in #d(ks) { @(f(k)); #d k; @c; } })).1.hoists.len(), 2);
    assert_eq!(resolved(quote!({ { let x = 1; x; } @(f(x)) })).1.hoists.len(), 1, "out of scope");
}

#[test]
fn mentions_are_found_in_tokens() {
    let names = |tokens: TokenStream| mention::names(&tokens).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names(quote!(a.b(c)[d])), "a c d");
    assert_eq!(names(quote!(m::a(&b, ..c))), "b c");
    assert_eq!(names(quote!(P { x: y, z })), "P y z");
    assert_eq!(names(quote!(println!("{a} {{b {c:?} {}", e))), "a c e");
    assert_eq!(names(quote!(r#type)), "type");
}

#[test]
fn places_are_told_from_values() {
    for place in [quote!(a), quote!(a.b), quote!(self.a[i + 1].0), quote!(*a.b), quote!(m::A), quote!((*a).b)] {
        assert!(mention::is_place(&place), "{place}");
    }
    for value in [quote!(f(a)), quote!(a.b()), quote!(a + b), quote!(&a), quote!(5), quote!(a.b().c)] {
        assert!(!mention::is_place(&value), "{value}");
    }
}

#[test]
fn wrong_programs_are_refused_all_at_once() {
    let d = dollar();
    assert_eq!(
        errors(quote!(|x: i64| { x = 1; y = 2; break; #d x; x(1) })),
        [
            "cannot assign to `x`: it was bound without `mut`",
            "`y` is not bound in this quotation; to assign to a captured variable write `@y`",
            "`break` outside of a loop of this quotation",
            "`x` is a dynamic variable: it has no value until the code runs; write `x` without `$`",
            "`x` is a dynamic variable, which cannot be called",
        ]
    );
    assert_eq!(errors(quote!(for k in #d ks { break; })), ["an unrolled loop cannot be left with `break`"]);
    assert_eq!(errors(quote!('a: loop { for k in #d ks { break 'a; } })), [""; 0]);
    assert_eq!(errors(quote!(|p: *const i64| *p)), ["a dereference of a raw pointer needs `unsafe { }`"]);
    assert_eq!(errors(quote!(|p: *const i64| unsafe { *p })), [""; 0]);
    assert_eq!(
        errors(quote!(
            fn f(x: i64) {
                f()
            }
        )),
        ["`f` takes 1 argument, but 0 were given"]
    );
    assert_eq!(
        errors(quote!(1.checked_pow(2))),
        [
            "`checked_pow` is not available in dynamic code; to call Rust code while the quotation is made write `$( )` or `@( )`"
        ]
    );
}

#[test]
fn last_uses_in_straight_lines_are_found() {
    assert_eq!(takes(quote!({ let h = @half; h * h })), 1, "both operands of one operator");
    assert_eq!(takes(quote!({ let h = @half; h + 1 })), 1);
    assert_eq!(takes(quote!({ let h = @half; let g = h; g })), 2);
    assert_eq!(takes(quote!(|x: i64, y: i64| x + y)), 2, "parameters too");
    assert_eq!(
        takes(quote!(|x: i64| {
            let t = x + 1;
            t * 2
        })),
        2
    );
    assert_eq!(takes(quote!({ let h = @half; if h > 1 { 1 } else { 2 } })), 1, "a condition runs once");
}

#[test]
fn other_mentions_are_no_last_uses() {
    assert_eq!(takes(quote!({ let h = @half; h * h * h })), 0, "an earlier mention may be pending");
    assert_eq!(takes(quote!({ let h = @half; (h + 1) * h })), 0);
    assert_eq!(takes(quote!({ let h = @half; h == h })), 0);
    assert_eq!(takes(quote!({ let h = @half; while @a { h; } })), 0, "a loop in between");
    assert_eq!(takes(quote!({ let h = @half; if @c { h } else { 1 } })), 0, "an arm in between");
    assert_eq!(takes(quote!({ let h = @half; @c && h })), 0);
    assert_eq!(takes(quote!({ let mut h = @half; h; h = 2; })), 0, "assigned later");
    assert_eq!(takes(quote!({ let h = @half; @(f(h)); h })), 0, "its handle is known to Rust code");
    assert_eq!(
        takes(quote!({
            let mut h = 1;
            loop {
                h = h + 1;
            }
        })),
        0
    );
    assert_eq!(takes(quote!({ loop { let h = @half; h; } })), 1, "the `let` is in the same loop");
}

/// The effects of the right operand of the body, and whether they make the left one be pinned.
fn right_operand(tokens: TokenStream) -> (effects::Effects, bool) {
    let (quotation, analysis) = resolved(tokens);
    let Form::Function(function) = &quotation.form else { panic!("not a function") };
    let ExprKind::Binary(binary) = &function.body.kind else { panic!("not an operator") };
    let later = effects::effects(&binary.right);
    let pins = effects::needs_pin(&binary.left, &later, &analysis) && (later.certain || !later.splices.is_empty());
    (later, pins)
}

#[test]
fn operands_are_pinned_where_they_could_change() {
    assert!(
        right_operand(quote!(|mut x: i64| x + {
            x = 5;
            x
        }))
        .1
    );
    assert!(
        !right_operand(quote!(|x: i64, mut y: i64| x + {
            y = 5;
            y
        }))
        .1,
        "no one assigns `x`"
    );
    assert!(!right_operand(quote!(|mut x: i64| x + @y)).1, "no one else knows `x`");
    assert!(right_operand(quote!(|x: i64| x + @(f(x)))).1, "Rust code knows `x`");
    assert!(right_operand(quote!(|x: i64| @v + @w)).1, "`@w` may assign `v`");
    assert!(right_operand(quote!(|s: Slice<i64>| s[0] + f())).1, "memory may change");
    assert!(!right_operand(quote!(|s: Slice<i64>| s[0] + s[1])).1);
    assert!(!right_operand(quote!(|x: i64| 5 + f(x))).1);
}

#[test]
fn effects_are_told_by_syntax() {
    assert_eq!(right_operand(quote!(|x: i64| 1 + @a * @b)).0.splices, [0, 1]);
    assert!(right_operand(quote!(|x: i64| 1 + g(x))).0.calls);
    assert!(!right_operand(quote!(|x: i64| 1 + f64::from_bits(x))).0.certain);
    assert!(
        right_operand(quote!(|x: i64| 1 + loop {
            break 5;
        }))
        .0
        .certain
    );
    assert!(
        !right_operand(quote!(|x: i64| 1 + {
            let y = x;
            if y > 2 { y } else { 3 }
        }))
        .0
        .certain
    );
}
