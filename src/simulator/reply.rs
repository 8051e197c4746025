//! What Harness says: the envelope of a good answer and the several shapes of a bad one.

use bytes::Bytes;
use serde_json::{Value, json};

/// An answer, before a fault befalls it.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        Self::typed(status, "application/json", body.to_string())
    }

    pub(super) fn typed(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// `ResponseDTO`: null fields are sent too.
    pub(super) fn success(data: &Value, correlation: &str) -> Self {
        let body = json!({
            "status": "SUCCESS",
            "data": data,
            "metaData": null,
            "correlationId": correlation,
        });
        Self::json(200, &body)
    }

    /// `ErrorDTO`: business and server errors.
    pub(super) fn error(status: u16, code: &str, message: &str, correlation: &str) -> Self {
        let body = json!({
            "status": "ERROR",
            "code": code,
            "message": message,
            "correlationId": correlation,
            "detailedMessage": null,
            "responseMessages": [{
                "code": code,
                "level": "ERROR",
                "message": message,
                "exception": null,
                "failureTypes": [],
            }],
            "metadata": null,
        });
        Self::json(status, &body)
    }

    /// The commonest error: 400 `INVALID_REQUEST`.
    pub(super) fn invalid_request(message: &str, correlation: &str) -> Self {
        let message = format!("Invalid request: {message}");
        Self::error(400, "INVALID_REQUEST", &message, correlation)
    }

    /// `FailureDTO`: a parameter that is missing or out of range.
    pub(super) fn invalid_parameter(field: &str, error: &str, correlation: &str) -> Self {
        let message = format!("Invalid request: {field}: {error}");
        let errors = json!([{ "fieldId": field, "error": error }]);
        Self::failure("INVALID_REQUEST", &message, &errors, correlation)
    }

    /// A path that this Harness does not know: 400, not 404.
    pub(super) fn unknown_path(correlation: &str) -> Self {
        let message = "HTTP 404 Not Found";
        Self::failure("RESOURCE_NOT_FOUND_EXCEPTION", message, &Value::Null, correlation)
    }

    fn failure(code: &str, message: &str, errors: &Value, correlation: &str) -> Self {
        let body = json!({
            "status": "FAILURE",
            "code": code,
            "message": message,
            "correlationId": correlation,
            "errors": errors,
        });
        Self::json(400, &body)
    }

    /// 403, with which right is missing.
    pub(super) fn access_denied(permission: &str, pipeline: &str) -> Self {
        let body = json!({
            "status": "ERROR",
            "code": "NG_ACCESS_DENIED",
            "message": format!("Missing permission {permission} on pipeline {pipeline}"),
            "correlationId": null,
            "detailedMessage": null,
            "responseMessages": null,
            "metadata": null,
            "failedPermissionChecks": [{
                "resourceScope": null,
                "resourceType": "PIPELINE",
                "resourceIdentifier": pipeline,
                "permission": permission,
            }],
        });
        Self::json(403, &body)
    }

    /// What stands before Harness says so, not Harness: a page with nothing but the status.
    pub(super) fn of_gateway(status: u16) -> Self {
        let page =
            format!("<html><head><title>{status}</title></head><body>{status}</body></html>");
        Self::typed(status, "text/html; charset=utf-8", page)
    }

    /// The answer that Harness, or what stands before it, gives with this status and without being
    /// asked anything in particular.
    pub(super) fn of_status(status: u16, correlation: &str) -> Self {
        match status {
            400 => Self::invalid_request("Webhook event could not be received", correlation),
            401 => {
                let message = "Invalid call: Invalid token or token expired.";
                Self::error(401, "INVALID_TOKEN", message, correlation)
            }
            403 => Self::access_denied("core_pipeline_execute", "any"),
            404 => Self::error(404, "ENTITY_NOT_FOUND", "Not found", correlation),
            500 => {
                let message =
                    "Oops, something went wrong on our end. Please contact Harness Support.";
                Self::error(500, "UNKNOWN_ERROR", message, correlation)
            }
            _ => Self::of_gateway(status),
        }
    }
}
