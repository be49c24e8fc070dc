import { missing } from "../../base/failure.ts";
import { PAGES } from "../../check/pages.generated.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";

export type ExplainFlags = { readonly json: boolean };
export { PAGES, missing, EXIT, failing };
export type { Context };
