//! Resolution of methods and calls: which there are, with how many arguments, and which need `unsafe`.

use proc_macro2::Span;

use super::resolve::Resolver;
use crate::ast::*;
use crate::methods;

impl Resolver {
    pub(super) fn method(&mut self, call: &mut Method) {
        if matches!(methods::lookup(&call.name.to_string()), Some(m) if matches!(m.kind, methods::Kind::Len | methods::Kind::IsEmpty))
        {
            self.slice_place(&mut call.receiver);
        } else {
            self.expr(&mut call.receiver);
        }
        call.args.iter_mut().for_each(|arg| self.expr(arg));
        let (name, span) = (call.name.to_string(), call.name.span());
        let Some(method) = methods::lookup(&name) else {
            let advice = methods::nearest(&name).map(|near| format!("did you mean `{near}`?"));
            let advice = advice
                .unwrap_or_else(|| "to call Rust code while the quotation is made write `$( )` or `@( )`".to_owned());
            return self.error(span, format!("`{name}` is not available in dynamic code; {advice}"));
        };
        if method.args != call.args.len() {
            let plural = if method.args == 1 { "" } else { "s" };
            self.error(
                span,
                format!("`{name}` takes {} argument{plural}, but {} given", method.args, were(call.args.len())),
            );
        }
        if matches!(method.kind, methods::Kind::Pointer | methods::Kind::Access) {
            call.unsafety = self.unsafe_operation(span, &format!("`{name}` on a raw pointer needs `unsafe {{ }}`"));
        }
    }

    pub(super) fn call(&mut self, call: &mut Call, span: Span) {
        if let Some((_, used)) = self.unsafes.last_mut() {
            used.perhaps = true;
            call.unsafety = Unsafety::Unsafe;
        }
        call.args.iter_mut().for_each(|arg| self.expr(arg));
        match &mut call.callee {
            Callee::Lifted(capture) => {
                let before = self.analysis.hoists.len();
                self.lift(capture);
                debug_assert!(self.analysis.hoists.len() <= before + 1, "a capture is hoisted once");
            }
            Callee::Path(path) => {
                if let Some(callee) = self.callee(path, call.args.len(), span) {
                    call.callee = callee;
                }
            }
            Callee::Rust(_) | Callee::Recursive | Callee::Trap | Callee::Associated(..) => {}
        }
    }

    /// What the path of a call is, if not an `extern "C"` function.
    fn callee(&mut self, path: &syn::ExprPath, args: usize, span: Span) -> Option<Callee> {
        if path.qself.is_some() {
            return None;
        }
        if let Some(ident) = path.path.get_ident() {
            if let Some(id) = self.lookup_ident(ident) {
                if self.is_dynamic(id) {
                    self.error(span, format!("`{ident}` is a dynamic variable, which cannot be called"));
                }
                return Some(Callee::Rust(ident.clone()));
            }
            if let Some((function, params)) = &self.function
                && function == ident
            {
                if *params != args {
                    let plural = if *params == 1 { "" } else { "s" };
                    let message = format!("`{ident}` takes {params} argument{plural}, but {} given", were(args));
                    self.error(span, message);
                }
                return Some(Callee::Recursive);
            }
            return (ident == "trap" && args == 1).then(|| Callee::Trap);
        }
        let segments: Vec<_> = path.path.segments.iter().collect();
        match segments[..] {
            [ty, method]
                if super::effects::is_number_name(&ty.ident)
                    && methods::is_associated(&method.ident.to_string(), args) =>
            {
                Some(Callee::Associated(ty.ident.clone(), method.ident.clone()))
            }
            _ => None,
        }
    }
}

/// "1 was", "2 were"
fn were(count: usize) -> String {
    format!("{count} {}", if count == 1 { "was" } else { "were" })
}
