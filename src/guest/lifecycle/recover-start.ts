/** What becomes of a start that was cut off. */
import { tidyImages } from "./aside.ts";
import type { Recover } from "./recover.ts";
import { waitForXl } from "./recover-save.ts";
import { fieldsOf } from "./save-data.ts";
import { removeHalfBuilt } from "./start.ts";

export const recoverStart: Recover = async (ports, operation, { sameBoot }) => {
  const { guest, step } = operation;
  const fields = fieldsOf(operation);
  const uuid = fields.optionalText("uuid");
  // An image that was given up may still lie under its old name.
  await tidyImages(ports);
  if (step === "discard") return `${guest} was not started.`;
  if (!sameBoot) return `The host was started again since: ${guest} was lost with it.`;
  await waitForXl(ports, fields.text("config"));
  const started = { guest, ...(uuid !== undefined && { uuid }) };
  const { left, doubtful } = await removeHalfBuilt(ports, started);
  if (left.length > 0) return `${guest} was started: it is domain ${left.join(", ")}.`;
  const [first] = doubtful;
  if (first === undefined) return `${guest} was not started: nothing of it is left.`;
  return `${guest} was not started. Domain ${doubtful.join(", ")} has its name or none, and has never run: it may be what is left of it, or somebody is making it just now. When no xl is at work (ps ax | grep "[x]l "): xl destroy ${first}.`;
};
