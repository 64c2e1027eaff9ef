"""The description of the API: OpenAPI, examples, and the reference page made from them."""
