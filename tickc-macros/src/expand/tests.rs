//! What quotations expand to, for the shapes whose speed or safety depends on it.

use proc_macro2::{Punct, Spacing, TokenStream};
use quote::quote;

fn expanded(tokens: TokenStream) -> String {
    let text: String = super::tick(tokens).to_string().split_whitespace().collect();
    text.replace("::tickc::__private::", "")
}

fn dollar() -> Punct {
    Punct::new('$', Spacing::Alone)
}

#[test]
fn fragments_capture_once() {
    assert_eq!(
        expanded(quote!(@x * @(rest))),
        "quote((splice_capture(&x),(splice_capture(&rest),())),flags::NONE,|__e,__h|{{\
         let__a0=__e.splice(&__h.0);let__a0=__e.pin_if(__a0,effects(&__h.1.0));\
         let__a1=__e.splice_operand(&__h.1.0);__e.mul(__a0,__a1)}})"
    );
}

#[test]
fn only_blocks_with_variables_have_a_scope() {
    assert_eq!(
        expanded(quote!({ let h = @half; h * h })),
        "quote((splice_capture(&half),()),flags::NONE,|__e,__h|{{let__s=__e.scope();\
         let__v=__e.splice(&__h.0);leth=__e.let_immutable(__v);\
         let__v={let__a0=__e.get(h);let__a1=__e.take(h);__e.mul(__a0,__a1)};__e.end_scope(__s,__v)}})"
    );
    assert!(!expanded(quote!({ @a; @b })).contains("scope"));
    assert!(
        !expanded(quote!(|x: i64| {
            let y = x;
            y
        }))
        .contains("scope"),
        "the function is the scope"
    );
}

#[test]
fn functions_declare_their_parameters() {
    assert_eq!(
        expanded(quote!(move |x: i64, _: u8| -> i64 { x })),
        "staged::<(i64,u8,),i64,_,_>((),flags::NONE,move|__e,__h|->Val<i64>{\
         letx:Home<i64>=__e.param_home::<i64>();let_:Var<u8>=__e.param::<u8>();__e.take(x)})"
    );
    assert!(expanded(quote!(|x: i64| x)).starts_with("staged::<(i64,),_,_,_>((),flags::NONE,|__e,__h|{"));
}

#[test]
fn flags_tell_what_a_fragment_does() {
    assert!(expanded(quote!(@v = 5)).contains("flags::EFFECTS,|"));
    assert!(expanded(quote!(f(@v))).contains("flags::EFFECTS|flags::CALLS,|"));
    assert!(expanded(quote!({ let x = 1; @(g(x)) })).contains("flags::EFFECTS|flags::DEFERRED,|"));
}

#[test]
fn indexes_within_a_loop_over_the_length_are_proved() {
    let body = |index: TokenStream| expanded(quote!(|s: Slice<i64>, t: Slice<i64>| { for i in 0..s.len() { #index } }));
    assert!(body(quote!(s[i];)).contains("index_proved"));
    assert!(!body(quote!(t[i];)).contains("index_proved"), "another slice");
    assert!(!body(quote!(s[i + 1];)).contains("index_proved"));
    assert!(!body(quote!(let i = 5; s[i];)).contains("index_proved"), "shadowed");
    assert!(!body(quote!(s[i]; @(f(i));)).contains("index_proved"), "Rust code may assign `i`");
    assert!(
        !expanded(quote!(|s: Slice<i64>| {
            for mut i in 0..s.len() {
                s[i];
            }
        }))
        .contains("index_proved")
    );
    assert!(
        !expanded(quote!(|s: Slice<i64>| {
            for i in 0..=s.len() {
                s[i];
            }
        }))
        .contains("index_proved")
    );
    assert!(
        !expanded(quote!(|mut s: Slice<i64>| {
            for i in 0..s.len() {
                s[i];
            }
        }))
        .contains("index_proved")
    );
}

#[test]
fn remainders_that_are_only_tested_are_not_computed() {
    assert!(expanded(quote!(@x % 4 == 0)).contains("is_multiple(__a0,__a1,true)"));
    assert!(expanded(quote!(@x % @y != 0)).contains("is_multiple(__a0,__a1,false)"));
    assert!(!expanded(quote!(@x % 4 == 1)).contains("is_multiple"));
}

#[test]
fn pending_conditions_are_held() {
    assert!(expanded(quote!((@a < @b) == @c)).contains("let__a0=__e.hold(__a0);let__a0=__e.pin_if"));
    assert!(!expanded(quote!(@a < 3 && @c)).contains("hold"));
    assert!(!expanded(quote!((1 < 2) == true)).contains("hold"));
    assert!(!expanded(quote!((@x & 1) == @y)).contains("hold"), "a number");
}

#[test]
fn no_unsafe_but_the_users_own() {
    let d = dollar();
    assert!(!expanded(quote!(|x: i64| { @a; f(x); #d(b)(x); })).contains("unsafe"));
    assert_eq!(expanded(quote!(|p: *const i64| unsafe { *p })).matches("unsafe").count(), 1);
    // The capture is evaluated apart from the block it stands in.
    assert_eq!(expanded(quote!(unsafe { #d(read()) })).matches("unsafe{").count(), 2);
}

#[test]
fn errors_are_one_expression() {
    let text = expanded(quote!(|x: i64| {
        x = 1;
        y = 2;
    }));
    assert_eq!(text.matches("compile_error!").count(), 2);
    assert!(text.starts_with('{') && text.ends_with('}'));
}
