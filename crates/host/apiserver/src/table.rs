//! Objects as clients ask for them: whole, as rows of a Table, or as metadata only.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::negotiate::{Shape, shape};
use crate::object;
use crate::request::Asked;
use crate::status::Refusal;

/// What the rows of a Table carry beside their cells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Included {
    Nothing,
    Metadata,
    Object,
}

/// A representation that a client asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) shape: Shape,
    pub(crate) included: Included,
}

impl Form {
    /// Reads Accept and `includeObject`.
    pub(crate) fn of(asked: &Asked) -> Result<Self, Refusal> {
        let shape = match shape(&asked.accept)? {
            Shape::DiscoveryV2 | Shape::DiscoveryV2Beta1 => return Err(Refusal::not_acceptable()),
            shape => shape,
        };
        let included = match asked.query.value("includeObject") {
            "None" => Included::Nothing,
            "" | "Metadata" => Included::Metadata,
            "Object" => Included::Object,
            other => {
                let message = format!("unrecognized includeObject value: \"{other}\"");
                return Err(Refusal::bad_request(message));
            }
        };
        Ok(Self { shape, included })
    }

    /// One item of a list in this representation.
    pub(crate) fn item(self, kind: &Kind, json: &Bytes) -> Result<Bytes, Refusal> {
        Ok(match self.shape {
            Shape::Plain | Shape::DiscoveryV2 | Shape::DiscoveryV2Beta1 => json.clone(),
            Shape::Metadata => metadata(&object::parse(json)?).to_string().into(),
            Shape::Table => row(kind, &object::parse(json)?, self.included).to_string().into(),
        })
    }

    /// One object, standing alone, in this representation.
    pub(crate) fn alone(
        self,
        kind: &Kind,
        json: &Bytes,
        has_definitions: bool,
    ) -> Result<Bytes, Refusal> {
        if self.shape != Shape::Table {
            return self.item(kind, json);
        }
        let object = object::parse(json)?;
        let row = row(kind, &object, self.included);
        let revision = object::meta(&object, "resourceVersion");
        let mut table = json!({
            "kind": "Table", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": revision},
        });
        let fields = object::map_mut(&mut table);
        if has_definitions {
            fields.insert("columnDefinitions".to_owned(), definitions(kind));
        } else {
            fields.insert("columnDefinitions".to_owned(), Value::Null);
        }
        fields.insert("rows".to_owned(), Value::Array(vec![row]));
        Ok(table.to_string().into())
    }

    /// What stands before the items of a list.
    pub(crate) fn head(self, kind: &Kind) -> String {
        match self.shape {
            Shape::Table => format!(
                "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"columnDefinitions\":{},\
                 \"rows\":[",
                definitions(kind)
            ),
            Shape::Metadata => "{\"kind\":\"PartialObjectMetadataList\",\
                \"apiVersion\":\"meta.k8s.io/v1\",\"items\":["
                .to_owned(),
            _ => format!(
                "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"items\":[",
                kind.list_kind,
                kind.api_version()
            ),
        }
    }
}

/// One object, as the client asked for it.
pub(crate) fn one(asked: &Asked, kind: &Kind, json: &Bytes) -> Result<Bytes, Refusal> {
    Form::of(asked)?.alone(kind, json, true)
}

fn definitions(kind: &Kind) -> Value {
    Value::Array(kind.columns.iter().map(crate::columns::Column::definition).collect())
}

fn row(kind: &Kind, object: &Value, included: Included) -> Value {
    let cells: Vec<Value> = kind.columns.iter().map(|column| column.cell(object)).collect();
    match included {
        Included::Nothing => json!({"cells": cells}),
        Included::Metadata => json!({"cells": cells, "object": metadata(object)}),
        Included::Object => json!({"cells": cells, "object": object}),
    }
}

fn metadata(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata"),
    })
}
