//! Who a request comes from, and what they may do.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Token;
use crate::decode;
use crate::protobuf;
use crate::reply::{self, Reply};
use crate::request::{Asked, Target, User};
use crate::status::Refusal;

/// May do everything, as in every Kubernetes.
const ADMINISTRATORS: &str = "system:masters";
/// May read everything but Secrets.
const READERS: &str = "view";
const READ_VERBS: [&str; 3] = ["get", "list", "watch"];

/// Known tokens, by digest, so that comparing takes the same time for any guess.
pub(crate) struct Tokens(Vec<([u8; 32], User)>);

impl Tokens {
    /// Takes the configured tokens; empty ones are left out, as they would let anybody in.
    pub(crate) fn new(tokens: &[Token]) -> Self {
        let tokens = tokens.iter().filter(|token| !token.token.is_empty()).map(|token| {
            let mut groups = token.groups.clone();
            groups.push("system:authenticated".to_owned());
            (Sha256::digest(&token.token).into(), User { name: token.user.clone(), groups })
        });
        Self(tokens.collect())
    }

    /// The user of an `Authorization` header.
    pub(crate) fn user(&self, header: Option<&http::HeaderValue>) -> Option<User> {
        let header = header?.to_str().ok()?;
        let (scheme, token) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token.trim()).into();
        let mut found = None;
        for (known, user) in &self.0 {
            if bool::from(known.ct_eq(&digest)) {
                found = Some(user.clone());
            }
        }
        found
    }
}

/// The Kubernetes verb of a request.
pub(crate) fn verb(asked: &Asked, target: &Target) -> &'static str {
    match asked.method.as_str() {
        "GET" | "HEAD" if asked.query.flag("watch") => "watch",
        "GET" | "HEAD" if target.name.is_some() => "get",
        "GET" | "HEAD" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if target.name.is_some() => "delete",
        "DELETE" => "deletecollection",
        _ => "unknown",
    }
}

/// True if the user may do that.
pub(crate) fn is_allowed(user: &User, verb: &str, target: &Target) -> bool {
    let is_in = |group: &str| user.groups.iter().any(|own| own == group);
    if is_in(ADMINISTRATORS) {
        return true;
    }
    let is_secret = target.group.is_empty() && target.plural == "secrets";
    let is_review = target.plural == "selfsubjectaccessreviews" && verb == "create";
    is_review || (is_in(READERS) && READ_VERBS.contains(&verb) && !is_secret)
}

/// The refusal of what is not allowed.
pub(crate) fn forbid(user: &User, verb: &str, target: &Target) -> Refusal {
    let resource = match &target.subresource {
        Some(subresource) => format!("{}/{subresource}", target.plural),
        None => target.plural.clone(),
    };
    let place = match &target.namespace {
        Some(namespace) => format!(" in the namespace \"{namespace}\""),
        None => " at the cluster scope".to_owned(),
    };
    let qualified = if target.group.is_empty() {
        target.plural.clone()
    } else {
        format!("{}.{}", target.plural, target.group)
    };
    let name = target.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let message = format!(
        "{qualified}{name} is forbidden: User \"{}\" cannot {verb} resource \"{resource}\" in API \
         group \"{}\"{place}",
        user.name, target.group
    );
    let details = json!({
        "name": target.name.clone().unwrap_or_default(), "group": target.group, "kind": target.plural,
    });
    Refusal::new(403, "Forbidden", message).with_details(details)
}

/// POST of a SelfSubjectAccessReview, in JSON or in the protobuf that `kubectl auth can-i` sends.
pub(crate) fn review(asked: &Asked, body: &Bytes) -> Result<Reply, Refusal> {
    let spec = if asked.content_type == "application/vnd.kubernetes.protobuf" {
        let review = protobuf::decode("SelfSubjectAccessReview", body);
        review.ok_or_else(|| Refusal::bad_request("the body is not a valid review"))?
    } else {
        decode::json(body)?.value
    };
    let spec = spec.get("spec").cloned().unwrap_or(Value::Null);
    let attributes = spec.get("resourceAttributes");
    let text = |name: &str| {
        attributes.and_then(|all| all.get(name)).and_then(Value::as_str).unwrap_or("").to_owned()
    };
    let target = Target { group: text("group"), plural: text("resource"), ..Target::default() };
    let is_ours = attributes.is_some() || asked.user.groups.iter().any(|one| one == ADMINISTRATORS);
    let is_allowed = is_ours && is_allowed(&asked.user, &text("verb"), &target);
    let review = json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "metadata": {}, "spec": spec, "status": {"allowed": is_allowed},
    });
    Ok(reply::json(StatusCode::CREATED, &review))
}
