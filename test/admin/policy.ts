/** The policy of the admin API's tests. */
export const POLICY = `
[gateway]
public_url = "https://gateway.example.com"

[revocation]
refresh = "1s"

[tokens]
audience         = "https://api.example.com"
default_lifetime = "30d"
max_lifetime     = "365d"

[scopes."charges:read"]
description = "See charges"
owner       = "billing"
[scopes."charges:write"]
description  = "Change charges"
owner        = "billing"
implies      = ["charges:read"]
max_lifetime = "90d"
[scopes."customers:read"]
description = "See customers"
owner       = "sales"
[scopes."old:read"]
description = "Gone"
owner       = "billing"
deprecated  = "2020-01-01"
sunset      = "2021-01-01"

[bundles.support]
description = "First-line support"
scopes      = ["charges:read", "customers:read"]
[bundles.all]
description = "Everything"
scopes      = ["*"]

[routes]
"GET /v1/charges"          = { all = ["charges:read"], resource = "charge:*" }
"GET /v1/charges/:charge"  = { all = ["charges:read"], resource = "charge:{charge}" }
"POST /v1/charges"         = { all = ["charges:write"], resource = "charge:*" }
"GET /v1/customers"        = "customers:read"
"GET /v1/fresh"            = { authenticated = true, resource = [], max_token_age = "15m" }
`;
