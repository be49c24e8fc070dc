/** What the journal keeps of a save, and what of it comes back: somebody may have edited the records. */
import { corrupt } from "../../base/failure.ts";
import type { Operation } from "../../host/records.ts";

export type SaveData = {
  readonly uuid: string;
  readonly domid: number;
  /** The image under its own name, and while it is written. */
  readonly image: string;
  readonly temporary: string;
  /** Its row in the records, from the first step on. */
  readonly imageId?: number;
};

export function saveDataOf(operation: Operation): SaveData {
  const fields = fieldsOf(operation);
  const imageId = fields.optionalNumber("imageId");
  return {
    uuid: fields.text("uuid"),
    domid: fields.number("domid"),
    image: fields.text("image"),
    temporary: fields.text("temporary"),
    ...(imageId !== undefined && { imageId }),
  };
}

/** Fields of an operation's data; `corrupt` where one is not what it should be. */
export function fieldsOf({ id, kind, data }: Operation) {
  const wrong = (name: string) =>
    corrupt(["records", `operation ${id}`, name], "something else", `what ${kind} writes there`);
  const fields = {
    optionalText(name: string): string | undefined {
      const value = data[name];
      if (value === undefined || typeof value === "string") return value;
      throw wrong(name);
    },
    optionalNumber(name: string): number | undefined {
      const value = data[name];
      if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
      throw wrong(name);
    },
    text(name: string): string {
      const value = fields.optionalText(name);
      if (value === undefined) throw wrong(name);
      return value;
    },
    number(name: string): number {
      const value = fields.optionalNumber(name);
      if (value === undefined) throw wrong(name);
      return value;
    },
  };
  return fields;
}
