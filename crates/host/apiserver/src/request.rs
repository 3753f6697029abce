//! What a request asks for: its path, its query, and the headers that matter.

use http::Method;
use http::request::Parts;

use crate::limits;
use crate::status::Refusal;

/// Who is asking.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
}

/// One resource, or one object of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) plural: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

/// What a path names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Route {
    /// `/`
    Root,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`
    GroupVersion(String, String),
    /// Anything below a group and version.
    Resource(Target),
    /// `/version`
    Version,
    /// `/healthz`, `/livez`, `/readyz`, and what is below them.
    Health(String),
    /// `/openapi/v2`
    OpenApi2,
    /// `/openapi/v3`
    OpenApiIndex,
    /// `/openapi/v3/api/v1` or `/openapi/v3/apis/GROUP/VERSION`
    OpenApi(String, String),
    /// `/metrics`
    Metrics,
    /// Nothing served.
    Unknown,
}

/// Splits a path; `Unknown` for what cannot be a path of this API.
pub(crate) fn route(path: &str) -> Route {
    let Some(parts) = segments(path) else { return Route::Unknown };
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts[..] {
        [] => Route::Root,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["apis", group] => Route::Group(group.to_owned()),
        ["api", version] => Route::GroupVersion(String::new(), version.to_owned()),
        ["apis", group, version] => Route::GroupVersion(group.to_owned(), version.to_owned()),
        ["api", version, ref rest @ ..] => resource("", version, rest),
        ["apis", group, version, ref rest @ ..] => resource(group, version, rest),
        ["version"] => Route::Version,
        ["healthz" | "livez" | "readyz", ..] => Route::Health(parts[0].to_owned()),
        ["openapi", "v2"] => Route::OpenApi2,
        ["openapi", "v3"] => Route::OpenApiIndex,
        ["openapi", "v3", "api", version] => Route::OpenApi(String::new(), version.to_owned()),
        ["openapi", "v3", "apis", group, version] => {
            Route::OpenApi(group.to_owned(), version.to_owned())
        }
        ["metrics"] => Route::Metrics,
        _ => Route::Unknown,
    }
}

fn resource(group: &str, version: &str, parts: &[&str]) -> Route {
    let mut target =
        Target { group: group.to_owned(), version: version.to_owned(), ..Target::default() };
    let rest = match *parts {
        // Namespaces are resources themselves, and so are these subresources of theirs.
        ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => parts,
        ["namespaces", namespace, ref rest @ ..] => {
            target.namespace = Some(namespace.to_owned());
            rest
        }
        _ => parts,
    };
    match *rest {
        [plural] => target.plural = plural.to_owned(),
        [plural, name] => {
            target.plural = plural.to_owned();
            target.name = Some(name.to_owned());
        }
        [plural, name, ref subresource @ ..] if !subresource.is_empty() => {
            target.plural = plural.to_owned();
            target.name = Some(name.to_owned());
            target.subresource = Some(subresource.join("/"));
        }
        _ => return Route::Unknown,
    }
    Route::Resource(target)
}

/// Decoded path segments; `None` if one is empty in the middle or is not UTF-8.
fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Some(Vec::new());
    }
    path.split('/')
        .map(|segment| decode(segment).filter(|text| !text.is_empty() && !text.contains('\0')))
        .collect()
}

/// Undoes percent-encoding; `None` if it is broken or the result is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_first_chunk::<2>()?;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Query parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query string.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let broken = || Refusal::bad_request("the query is not valid percent-encoded UTF-8");
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| decode(&text.replace('+', " ")).ok_or_else(broken);
            Ok((decode(name)?, decode(value)?))
        });
        Ok(Self(pairs.collect::<Result<_, Refusal>>()?))
    }

    /// The value of a parameter; empty if it is missing.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// True for `true` and `1`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), "true" | "1" | "True")
    }

    /// A number; `None` if it is missing.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.value(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                Refusal::bad_request(format!("{name}: invalid value \"{text}\": must be a number"))
            }),
        }
    }
}

/// A request without its body.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) query: Query,
    pub(crate) accept: String,
    pub(crate) content_type: String,
    pub(crate) user_agent: String,
    pub(crate) user: User,
}

impl Asked {
    /// Takes what matters out of the head of a request.
    pub(crate) fn new(parts: &Parts, user: User) -> Result<Self, Refusal> {
        let header = |name: http::HeaderName| {
            let values = parts.headers.get_all(name).iter();
            values.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
        };
        let content_type = header(http::header::CONTENT_TYPE);
        let media = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        Ok(Self {
            method: parts.method.clone(),
            query: Query::parse(parts.uri.query().unwrap_or(""))?,
            accept: header(http::header::ACCEPT),
            content_type: media,
            user_agent: header(http::header::USER_AGENT),
            user,
        })
    }

    /// Who owns the fields that this request writes.
    pub(crate) fn field_manager(&self) -> Result<String, Refusal> {
        let named = self.query.value("fieldManager");
        let manager = if named.is_empty() {
            self.user_agent.split(['/', ' ']).next().unwrap_or("")
        } else {
            named
        };
        if manager.len() > limits::FIELD_MANAGER_BYTES_MAX || manager.chars().any(char::is_control)
        {
            let message = "fieldManager: must be printable and have at most 128 bytes";
            return Err(Refusal::bad_request(message));
        }
        Ok(if manager.is_empty() { "unknown".to_owned() } else { manager.to_owned() })
    }

    /// True if everything is to be checked and nothing stored.
    pub(crate) fn is_dry_run(&self) -> Result<bool, Refusal> {
        match self.query.value("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => {
                let why =
                    format!("dryRun: Unsupported value: [\"{other}\"]: supported values: \"All\"");
                Err(Refusal::invalid_options("Options", &why))
            }
        }
    }
}

#[cfg(test)]
mod tests;
