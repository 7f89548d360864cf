//! The names of services and protocols as settings.

use super::setting::Setting;
use crate::{AlpnName, Codec, ShortName, Target};

impl Setting for Vec<AlpnName> {
    const EXPECTED: &'static str = "a list of names prefix/short_name/major such as [\"blixard/health/1\"]";
    const ELEMENT: &'static str = "a name prefix/short_name/major such as \"blixard/health/1\"";
}

impl Setting for Vec<Target> {
    const EXPECTED: &'static str = "a list of targets such as [\"grpc://192.0.2.1:7001\"]";
    const ELEMENT: &'static str = "a target such as \"grpc://192.0.2.1:7001\"";
}

impl Setting for Vec<ShortName> {
    const EXPECTED: &'static str = "a list of service short names such as [\"health\", \"status\"]";
    const ELEMENT: &'static str = "a service short name such as \"health\"";
}

impl Setting for Codec {
    const EXPECTED: &'static str = "\"msgpack\" or \"protobuf\"";
}
