//! Which representation a client gets, by its Accept header.

use crate::status::Refusal;

/// How an answer is represented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// The object as it is.
    Plain,
    /// Rows and columns, `meta.k8s.io/v1` Table.
    Table,
    /// Metadata only.
    Metadata,
    /// Aggregated discovery, `apidiscovery.k8s.io/v2`.
    DiscoveryV2,
    /// Aggregated discovery in its beta version.
    DiscoveryV2Beta1,
}

/// Picks the first acceptable representation, in the client's order.
pub(crate) fn shape(accept: &str) -> Result<Shape, Refusal> {
    if accept.trim().is_empty() {
        return Ok(Shape::Plain);
    }
    accept.split(',').find_map(one).ok_or_else(Refusal::not_acceptable)
}

fn one(entry: &str) -> Option<Shape> {
    let mut parts = entry.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    if !matches!(media.as_str(), "application/json" | "*/*" | "application/*") {
        return None;
    }
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let parameter = |name: &str| {
        parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value.trim())
    };
    match (parameter("as"), parameter("g"), parameter("v")) {
        ("", _, _) => Some(Shape::Plain),
        ("Table", "meta.k8s.io", "v1" | "v1beta1") => Some(Shape::Table),
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", _) => {
            Some(Shape::Metadata)
        }
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Some(Shape::DiscoveryV2),
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1") => {
            Some(Shape::DiscoveryV2Beta1)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    //! Accept headers as clients send them.

    use super::{Shape, shape};

    #[test]
    fn the_first_acceptable_entry_wins() {
        for (accept, expected) in [
            ("", Some(Shape::Plain)),
            ("*/*", Some(Shape::Plain)),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some(Shape::Table)),
            ("application/vnd.kubernetes.protobuf,application/json", Some(Shape::Plain)),
            (
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
                Some(Shape::DiscoveryV2),
            ),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                Some(Shape::Metadata),
            ),
            ("application/json;as=Nothing;g=x;v=v1", None),
            ("text/html", None),
        ] {
            assert_eq!(shape(accept).ok(), expected, "{accept}");
        }
    }
}
