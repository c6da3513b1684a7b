//! What the parser accepts, shown as trees in Lisp's manner, and what it refuses.

use quote::quote;

use super::quotation;
use crate::ast::*;

/// The tree of a fragment.
fn tree(tokens: proc_macro2::TokenStream) -> String {
    match quotation(tokens).map(|quotation| quotation.form) {
        Ok(Form::Fragment(expr)) => show(&expr),
        Ok(Form::Function(function)) => format!("(fn {} {})", function.params.len(), show(&function.body)),
        Err(error) => format!("error: {error}"),
    }
}

fn show(expr: &Expr) -> String {
    let show_some = |e: &Option<Box<Expr>>| e.as_ref().map_or(String::new(), |e| format!(" {}", show(e)));
    match &expr.kind {
        ExprKind::Lit(lit) => format!("{}{}", if lit.minus.is_some() { "-" } else { "" }, lit.token),
        ExprKind::Const(path) => quote!(#path).to_string().replace(' ', ""),
        ExprKind::Name(name) => name.ident.to_string(),
        ExprKind::Splice(capture) => format!("@{}", source(capture)),
        ExprKind::Lift(capture) => format!("${}", source(capture)),
        ExprKind::Unary(op, _, e) => format!("({op:?} {})", show(e)),
        ExprKind::Binary(b) => format!("({} {} {})", b.op.method(), show(&b.left), show(&b.right)),
        ExprKind::Logic(l) => format!("({} {} {})", if l.is_and { "and" } else { "or" }, show(&l.left), show(&l.right)),
        ExprKind::Cast(e, ty) => format!("(as {} {})", show(e), quote!(#ty)),
        ExprKind::Assign(a) => {
            format!("(set{} {} {})", a.op.map_or("", BinaryOp::method), show(&a.target), show(&a.value))
        }
        ExprKind::Field(e, name) => format!("(. {} {name})", show(e)),
        ExprKind::Slice(_) => "slice".into(),
        ExprKind::Index(base, index) => format!("([] {} {})", show(base), show(index)),
        ExprKind::Deref(e, _) => format!("(* {})", show(e)),
        ExprKind::Ref(mutable, e) => format!("(&{} {})", if *mutable { "mut" } else { "" }, show(e)),
        ExprKind::Method(m) => format!("(.{} {}{})", m.name, show(&m.receiver), all(&m.args)),
        ExprKind::Call(c) => format!("(call{})", all(&c.args)),
        ExprKind::Block(b) => block(b),
        ExprKind::Unsafe(u) => format!("(unsafe {})", block(&u.block)),
        ExprKind::If(i) => format!("(if {} {}{})", show(&i.cond), block(&i.then), show_some(&i.otherwise)),
        ExprKind::Match(m) => {
            format!(
                "(match {}{})",
                show(&m.scrutinee),
                m.arms.iter().map(|a| format!(" {}", show(&a.body))).collect::<String>()
            )
        }
        ExprKind::StaticIf(i) => format!("(if ${} {}{})", source(&i.cond), block(&i.then), show_some(&i.otherwise)),
        ExprKind::StaticMatch(m) => format!("(match ${} {})", source(&m.value), m.arms.len()),
        ExprKind::While(w) => format!("(while {} {})", show(&w.cond), block(&w.body)),
        ExprKind::Loop(l) => format!("(loop {})", block(&l.body)),
        ExprKind::For(l) => format!("(for {} {} {})", show(&l.range.from), show(&l.range.to), block(&l.body)),
        ExprKind::Unrolled(l) => format!("(unroll ${} {})", source(&l.iterable), block(&l.body)),
        ExprKind::Break(_, value) => format!("(break{})", show_some(value)),
        ExprKind::Continue(_) => "(continue)".to_owned(),
        ExprKind::Return(value) => format!("(return{})", show_some(value)),
        ExprKind::Range(r) => format!("(.. {} {})", show(&r.from), show(&r.to)),
    }
}

fn all(exprs: &[Expr]) -> String {
    exprs.iter().map(|e| format!(" {}", show(e))).collect()
}

fn source(capture: &Capture) -> String {
    match &capture.source {
        Source::Name(ident) => ident.to_string(),
        Source::Tokens(tokens, _) => format!("({tokens})"),
    }
}

fn block(block: &Block) -> String {
    let stmts = block.stmts.iter().map(|stmt| match stmt {
        Stmt::Let(local) => format!("(let {}) ", show(&local.init)),
        Stmt::Expr(expr, semicolon) => format!("{}{} ", show(expr), if *semicolon { ";" } else { "" }),
    });
    let stmts: String = stmts.collect();
    format!("{{{stmts}{}}}", block.tail.as_ref().map_or(String::new(), |tail| show(tail)))
}

#[test]
fn precedence_is_rusts() {
    assert_eq!(tree(quote!(a + b * c)), "(add a (mul b c))");
    assert_eq!(tree(quote!(a - b - c)), "(sub (sub a b) c)");
    assert_eq!(tree(quote!(a | b ^ c & d << e + f)), "(bitor a (bitxor b (bitand c (shl d (add e f)))))");
    assert_eq!(tree(quote!(a & 1 == b || c && !d)), "(or (eq (bitand a 1) b) (and c (Not d)))");
    assert_eq!(tree(quote!(-a as i64 * b)), "(mul (as (Neg a) i64) b)");
    assert_eq!(tree(quote!(a as u8 as i64)), "(as (as a u8) i64)");
    assert_eq!(tree(quote!((a + b) * c)), "(mul (add a b) c)");
    assert_eq!(tree(quote!(a = b += c)), "(set a (setadd b c))");
    assert_eq!(tree(quote!(*p.q)), "(* (. p q))");
    assert_eq!(tree(quote!(-x.abs())), "(Neg (.abs x))");
}

#[test]
fn minus_is_part_of_a_literal() {
    assert_eq!(tree(quote!(-128i8)), "-128i8");
    assert_eq!(tree(quote!(5 - -2.5)), "(sub 5 -2.5)");
    assert_eq!(tree(quote!(-5.abs())), "(Neg (.abs 5))");
}

#[test]
fn captures_bind_tighter_than_postfixes() {
    assert_eq!(tree(quote!(@s[@i])), "([] @s @i)");
    assert_eq!(tree(quote!(@acc.wrapping_mul(3))), "(.wrapping_mul @acc 3)");
    assert_eq!(tree(quote!(@(f(x)) + lift!(y.z))), "(add @(f (x)) $(y . z))");
    let dollar = proc_macro2::Punct::new('$', proc_macro2::Spacing::Alone);
    assert_eq!(tree(quote!(#dollar f(a) + #dollar(b))), "(add (call a) $b)");
    assert_eq!(tree(quote!(if #dollar(c) { 1 } else if x { 2 } else { 3 })), "(if $c {1} (if x {2} {3}))");
    assert_eq!(tree(quote!(for (i, x) in #dollar xs { x })), "(unroll $xs {x})");
    assert_eq!(tree(quote!(for i in #dollar a..=b {})), "(for $a b {})");
    assert_eq!(tree(quote!(match #dollar v { Some(x) if x > 1 => { 1 } None => 2, _ => 3 })), "(match $v 3)");
}

#[test]
fn statements_end_as_in_rust() {
    assert_eq!(
        tree(quote!({
            if a {
                b
            }
            -c
        })),
        "{(if a {b}) (Neg c)}"
    );
    assert_eq!(tree(quote!({ if a { b } else { c }.abs() })), "{(.abs (if a {b} {c}))}");
    assert_eq!(
        tree(quote!({
            let x = 5;
            x;
            { y }
        })),
        "{(let 5) x; {y}}"
    );
    assert_eq!(
        tree(quote!({
            while a {
                break;
            }
            loop {
                break 5;
            }
        })),
        "{(while a {(break); }) (loop {(break 5); })}"
    );
    assert_eq!(
        tree(quote!(match x {
            1 =>
                if a {
                    b
                } else {
                    c
                },
            2 => return,
            _ => 3,
        })),
        "(match x (if a {b} {c}) (return) 3)"
    );
    assert_eq!(tree(quote!(|a: i64, mut b: &[u8]| -> u8 { a })), "(fn 2 {a})");
    assert_eq!(
        tree(quote!(
            fn f() {
                g(1, 2)
            }
        )),
        "(fn 0 {(call 1 2)})"
    );
}

#[test]
fn groups_of_macro_rules_keep_their_precedence() {
    let sum = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!(a + b));
    assert_eq!(tree(quote!(#sum * 2)), "(mul (add a b) 2)");
    assert_eq!(tree(quote!(-#sum)), "(Neg (add a b))");
    assert_eq!(tree(quote!(@#sum)), "@(a + b)");
    assert_eq!(tree(quote!({ #sum; #sum })), "{(add a b); (add a b)}");
    let local = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!(let x = 5));
    assert_eq!(tree(quote!({ #local; x })), "{(let 5) x}");
    let body = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!({ 5 }));
    assert_eq!(tree(quote!(if a #body else #body)), "(if a {5} {5})");
    let range = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!(0..n));
    assert_eq!(tree(quote!(for i in #range {})), "(for 0 n {})");
    let negative = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!(128i8));
    assert_eq!(tree(quote!(-#negative)), "-128i8");
}

#[test]
fn refusals_name_what_is_wrong() {
    let cases = [
        (quote!(a < b < c), "comparison operators cannot be chained"),
        (quote!(tick!(5)), "a quotation cannot contain `tick!`; splice it: `@(tick!(…))`"),
        (quote!(vec![5]), "the macro call `vec!` is not part of the language of `tick!`"),
        (
            quote!({
                let x;
            }),
            "a `let` of a quotation needs an initial value: `let name = value;`",
        ),
        (
            quote!({
                let (a, b) = c;
            }),
            "a `let` of a quotation binds `name`, `mut name` or `_`, no other pattern",
        ),
        (quote!(|x| x), "a parameter of a quotation needs a type: `name: Type`"),
        (
            quote!(match x {
                1 => 2,
            }),
            "non-exhaustive: the last arm of a dynamic `match` must be `_` or a name",
        ),
        (
            quote!(match x {
                1 if a => 2,
                _ => 3,
            }),
            "a guard of a dynamic `match` is not part of the language of `tick!`",
        ),
        (quote!(x?), "`?` is not part of the language of `tick!`; Rust code in `@( )` and `$( )` may use it"),
        (quote!(f(|x| x)), "a closure within a quotation is not part of the language of `tick!`"),
        (quote!("s"), "a string literal is not part of the language of `tick!`"),
        (quote!((1, 2)), "a tuple is not part of the language of `tick!`"),
        (quote!(P { x: 1 }), "a struct literal is not part of the language of `tick!`"),
        (
            quote!(if let Some(x) = y {
                1
            }),
            "`if let` is not part of the language of `tick!`",
        ),
        (
            quote!({
                fn f() {}
            }),
            "an item within a quotation is not part of the language of `tick!`",
        ),
        (quote!(@f(1)), "a splice cannot be called; to splice what a Rust function returns write `@(function(…))`"),
    ];
    for (tokens, message) in cases {
        assert_eq!(tree(tokens.clone()), format!("error: {message}"), "{tokens}");
    }
}
