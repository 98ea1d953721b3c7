//! The attributes `#[sim::test]` and `#[sim::main]`.
//!
//! Each turns an `async fn` into a plain one that hands its body to a runtime. A mistake in an
//! attribute is a compile error at its place, with the names that exist.

use proc_macro::TokenStream;
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{ItemFn, LitInt, LitStr, parse_macro_input};

/// What `#[sim::test(…)]` was told.
#[derive(Default)]
struct TestOptions {
    runs: Option<LitInt>,
    seed: Option<LitStr>,
    time_limit: Option<LitStr>,
    steps_max: Option<LitInt>,
    hosts: Vec<LitStr>,
    leaks: Option<LitStr>,
    should_fail: Option<LitStr>,
}

impl TestOptions {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "runs" => self.runs = Some(meta.value()?.parse()?),
            "seed" => self.seed = Some(meta.value()?.parse()?),
            "time_limit" => self.time_limit = Some(meta.value()?.parse()?),
            "steps_max" => self.steps_max = Some(meta.value()?.parse()?),
            "should_fail" => self.should_fail = Some(meta.value()?.parse()?),
            "leaks" => self.leaks = Some(meta.value()?.parse()?),
            "hosts" => {
                let list;
                let value = meta.value()?;
                syn::bracketed!(list in value);
                self.hosts = list
                    .parse_terminated(|item| item.parse(), syn::Token![,])?
                    .into_iter()
                    .collect();
            }
            other => {
                let text = format!(
                    "unknown option '{other}': there are runs, seed, time_limit, steps_max, hosts, leaks, should_fail"
                );
                return Err(meta.error(text));
            }
        }
        Ok(())
    }
}

/// Nanoseconds of a text such as `10s`, `500ms`, `2m`, `1h`.
fn nanoseconds(text: &LitStr) -> syn::Result<u64> {
    let value = text.value();
    let split = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let unit: u64 = match &value[split..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => {
            return Err(syn::Error::new(
                text.span(),
                "give a number with a unit: ns, us, ms, s, m or h, as in \"10s\"",
            ));
        }
    };
    let number = value[..split].parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    number
        .filter(|&ns| ns > 0)
        .ok_or_else(|| syn::Error::new(text.span(), "give a whole number above zero"))
}

/// Checks that a function can be run without arguments.
fn check(function: &ItemFn, attribute: &str) -> syn::Result<()> {
    if function.sig.asyncness.is_none() {
        return Err(syn::Error::new(
            function.sig.fn_token.span(),
            format!("#[sim::{attribute}] is for an async fn"),
        ));
    }
    if !function.sig.inputs.is_empty() || !function.sig.generics.params.is_empty() {
        let text = format!(
            "a function under #[sim::{attribute}] takes no arguments and no type parameters"
        );
        return Err(syn::Error::new(function.sig.inputs.span(), text));
    }
    Ok(())
}

/// Makes an `async fn` a test that runs in a simulated world, over several seeds.
///
/// Options: `runs = 10`, `seed = "0x2a"`, `time_limit = "10s"` (virtual), `steps_max = 1000000`,
/// `hosts = ["a", "b"]` (there from the start), `leaks = "fail"` (or `"note"`, `"ignore"`),
/// `should_fail = "part of the message"`: a demonstration of a bug. Under `cargo test` it passes if one of
/// its runs fails so; under `cargo sim test` the failure is found and reported like any other.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut read = TestOptions::default();
    let parser = syn::meta::parser(|meta| read.read(&meta));
    parse_macro_input!(options with parser);
    let function = parse_macro_input!(item as ItemFn);
    expand_test(&read, &function).unwrap_or_else(syn::Error::into_compile_error).into()
}

fn expand_test(options: &TestOptions, function: &ItemFn) -> syn::Result<proc_macro2::TokenStream> {
    check(function, "test")?;
    let ItemFn { attrs, vis, sig, block } = function;
    let (name, output) = (&sig.ident, &sig.output);
    let some = |tokens: Option<proc_macro2::TokenStream>| match tokens {
        Some(tokens) => quote!(::core::option::Option::Some(#tokens)),
        None => quote!(::core::option::Option::None),
    };
    let runs = some(options.runs.as_ref().map(|runs| quote!(#runs)));
    let seed = some(options.seed.as_ref().map(|seed| quote!(#seed)));
    let steps_max = some(options.steps_max.as_ref().map(|steps| quote!(#steps)));
    let limit = options.time_limit.as_ref().map(nanoseconds).transpose()?;
    let time_limit = some(limit.map(|ns| quote!(::core::time::Duration::from_nanos(#ns))));
    let should_fail = some(options.should_fail.as_ref().map(|text| quote!(#text)));
    let hosts = &options.hosts;
    let leaks = match options.leaks.as_ref().map(|leaks| (leaks.value(), leaks.span())) {
        None => quote!(),
        Some((text, _)) if text == "fail" => quote!(.leaks(::sim::Leaks::Fail)),
        Some((text, _)) if text == "note" => quote!(.leaks(::sim::Leaks::Note)),
        Some((text, _)) if text == "ignore" => quote!(.leaks(::sim::Leaks::Ignore)),
        Some((_, span)) => {
            return Err(syn::Error::new(span, "give \"fail\", \"note\" or \"ignore\""));
        }
    };
    let body = quote_spanned!(block.span()=> async fn body() #output #block);
    Ok(quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() {
            #body
            ::sim::harness::run(
                ::sim::harness::TestSpec {
                    package: ::core::env!("CARGO_PKG_NAME"),
                    manifest_dir: ::core::env!("CARGO_MANIFEST_DIR"),
                    module: ::core::module_path!(),
                    name: ::core::stringify!(#name),
                    file: ::core::file!(),
                    line: ::core::line!(),
                    runs: #runs,
                    seed: #seed,
                    time_limit: #time_limit,
                    steps_max: #steps_max,
                    should_fail: #should_fail,
                },
                |builder| builder #(.host(#hosts))* #leaks,
                body,
            );
        }
    })
}

/// Makes an `async fn main` run on the operating system.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    let parser = syn::meta::parser(|meta| Err(meta.error("#[sim::main] takes no options")));
    parse_macro_input!(options with parser);
    let function = parse_macro_input!(item as ItemFn);
    expand_main(&function).unwrap_or_else(syn::Error::into_compile_error).into()
}

fn expand_main(function: &ItemFn) -> syn::Result<proc_macro2::TokenStream> {
    check(function, "main")?;
    let ItemFn { attrs, vis, sig, block } = function;
    let (name, output) = (&sig.ident, &sig.output);
    let body = quote_spanned!(block.span()=> async fn body() #output #block);
    Ok(quote! {
        #(#attrs)*
        #vis fn #name() #output {
            #body
            match ::sim::OsRuntime::new() {
                ::core::result::Result::Ok(mut runtime) => ::sim::Runtime::block_on(&mut runtime, body()),
                ::core::result::Result::Err(error) => {
                    ::std::eprintln!("{error}");
                    ::std::process::exit(1)
                }
            }
        }
    })
}
