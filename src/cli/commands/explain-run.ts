import { misuse } from "../../base/failure.ts";
import { nearestWord } from "../../base/nearest-word.ts";
import { PAGES } from "../../check/pages.generated.ts";
import { printable } from "../../base/printable.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import type { Output } from "../output.ts";
import { pageText } from "../render/page.ts";
import { table } from "../render/text.ts";

export type ExplainFlags = { readonly json: boolean };

export const run = failing(async function (this: Context, flags: ExplainFlags, code?: string) {
  const { out } = this;
  if (code === undefined) {
    listCodes(out, flags.json);
    return EXIT.done;
  }
  const found = Object.hasOwn(PAGES, code) ? PAGES[code] : undefined;
  if (!found) {
    const near = nearestWord(code, Object.keys(PAGES));
    throw misuse(
      `There is no finding "${printable(code)}".`,
      `${near ? `Did you mean ${near}? ` : ""}domus explain lists all codes.`,
    );
  }
  if (flags.json) out.json({ code, severity: found.severity, page: found.page });
  else out.result(pageText(found.page, out));
  return EXIT.done;
});

function listCodes(out: Output, json: boolean): void {
  const codes = Object.entries(PAGES).map(([code, { severity, summary }]) => ({
    code,
    severity,
    summary,
  }));
  if (json) out.json({ codes });
  else {
    const rows = codes.map(({ code, severity, summary }) => [code, severity, summary]);
    out.result(table(["CODE", "SEVERITY", "MEANS"], rows, out.width).join("\n"));
    out.say("domus explain CODE prints the page of one.");
  }
}
