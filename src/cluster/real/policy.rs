//! What an API server is asked to log.

/// Writes with who and what; reads only with who; not what renews leases, tells Events or watches.
pub(in crate::cluster) const AUDIT_POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
  "omitStages": ["RequestReceived", "ResponseStarted"],
  "omitManagedFields": true,
  "rules": [
    {"level": "None", "nonResourceURLs": ["*"]},
    {"level": "None", "verbs": ["watch"]},
    {"level": "None", "resources": [
      {"group": "coordination.k8s.io", "resources": ["leases"]},
      {"group": "", "resources": ["events", "secrets", "serviceaccounts/token"]},
      {"group": "events.k8s.io"}, {"group": "authentication.k8s.io"},
      {"group": "authorization.k8s.io"}]},
    {"level": "Metadata", "verbs": ["get", "list"]},
    {"level": "RequestResponse"}
  ]
}"#;
