//! .
use proc_macro::TokenStream;
/// .
#[proc_macro_attribute]
pub fn service(_: TokenStream, i: TokenStream) -> TokenStream {
    i
}
/// .
#[proc_macro_attribute]
pub fn main(_: TokenStream, i: TokenStream) -> TokenStream {
    i
}
