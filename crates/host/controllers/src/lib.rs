//! One module per custom resource: observe, plan, apply.
