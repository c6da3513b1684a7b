//! `#[derive(Record)]`: a struct with one `Field` per field, of the same name and visibility, so that rustc itself resolves
//! `record.field` in a quotation, with its own errors for names that do not exist or are private.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, GenericParam, Result};

/// Expands the derive.
pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    check_layout(input)?;
    check_generics(input)?;
    let (name, vis) = (&input.ident, &input.vis);
    let span = Span::mixed_site();
    let located = span.located_at(name.span());
    let fields_name = format_ident!("__{}Fields", name, span = located);
    let (_, type_generics, _) = input.generics.split_for_impl();
    let record = quote!(#name #type_generics);

    let mut declarations = Vec::new();
    let mut constants = Vec::new();
    let mut field_types = Vec::new();
    let mut checks = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let (field_vis, at) = (&field.vis, span.located_at(field.ty.span()));
        let field_name = respanned(ident, span.located_at(ident.span()));
        let ty = without_self(field.ty.to_token_stream(), name);
        declarations.push(quote_spanned!(at=> #field_vis #field_name: ::tickc::__private::Field<#record, #ty>));
        constants.push(
            quote_spanned!(at=> #field_name: ::tickc::__private::Field::new(::core::mem::offset_of!(#record, #ident))),
        );
        checks.push(quote_spanned! {at=>
            ::tickc::__private::same_type(&__r.#ident, ::core::marker::PhantomData::<#ty>);
        });
        field_types.push(ty);
    }

    let mut generics = input.generics.clone();
    if generics.type_params().next().is_some() {
        let clause = generics.make_where_clause();
        for param in input.generics.type_params() {
            let param = &param.ident;
            clause.predicates.push(syn::parse_quote!(#param: ::core::marker::Copy + 'static));
        }
        for ty in &field_types {
            clause.predicates.push(syn::parse_quote!(#ty: ::tickc::__private::FieldType));
        }
    }
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let bare_generics = &input.generics;
    let bare_where = &input.generics.where_clause;

    Ok(quote_spanned! {span=>
        const _: () = {
            #[doc(hidden)]
            #vis struct #fields_name #bare_generics #bare_where { #(#declarations),* }

            #[automatically_derived]
            impl #impl_generics ::tickc::__private::Record for #record #where_clause {
                type Fields = #fields_name #type_generics;
                const FIELDS: Self::Fields = #fields_name { #(#constants),* };
            }

            #[allow(dead_code, clippy::all)]
            fn __check #impl_generics (__r: &#record) #where_clause { #(#checks)* }
        };
    })
}

fn named_fields(input: &DeriveInput) -> Result<impl Iterator<Item = &syn::Field>> {
    let refused = |what: &str| {
        Err(Error::new(input.ident.span(), format!("only a struct with named fields can be a `Record`, not {what}")))
    };
    match &input.data {
        Data::Enum(_) => refused("an enum"),
        Data::Union(_) => refused("a union"),
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => Ok(fields.named.iter()),
            Fields::Named(_) => refused("one without fields"),
            Fields::Unnamed(_) => refused("a tuple struct"),
            Fields::Unit => refused("a unit struct"),
        },
    }
}

/// A packed record would have fields at addresses that are no multiple of their alignment.
fn check_layout(input: &DeriveInput) -> Result<()> {
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("packed") {
                let message =
                    "a `#[repr(packed)]` struct cannot be a `Record`: dynamic code needs fields that are aligned";
                return Err(Error::new_spanned(&meta.path, message));
            }
            // The argument of `align(8)`.
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<TokenStream>()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn check_generics(input: &DeriveInput) -> Result<()> {
    for param in &input.generics.params {
        if let GenericParam::Lifetime(lifetime) = param {
            return Err(Error::new_spanned(
                lifetime,
                "a `Record` borrows nothing: it cannot have a lifetime parameter",
            ));
        }
    }
    Ok(())
}

/// `ident`, raw or not, at another place.
fn respanned(ident: &Ident, span: Span) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(span);
    ident
}

/// `tokens` with the record's name for `Self`, which would name the struct of fields.
fn without_self(tokens: TokenStream, name: &Ident) -> TokenStream {
    let replaced = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(ident) if ident == "Self" => TokenTree::Ident(respanned(name, ident.span())),
        TokenTree::Group(group) => {
            let mut inner = proc_macro2::Group::new(group.delimiter(), without_self(group.stream(), name));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        other => other,
    });
    replaced.collect()
}
