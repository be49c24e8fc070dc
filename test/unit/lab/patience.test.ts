import { expect, test } from "vitest";
import { makePatient } from "../../../lab/patience.ts";

const STOCK = [0x40, 0x9c, 0x00, 0x00];
const PATIENT = [0xc0, 0x27, 0x09, 0x00];
/** Bytes before an instruction: at least six, as anywhere in a library. */
const BEFORE = [0x90, 0x90, 0x90, 0x90, 0x90, 0x90];

test("changes the constant where an instruction stores or loads it, and nowhere else", () => {
  const movToMemory = [0xc7, 0x83, 0x20, 0x02, 0x00, 0x00];
  const movToRegister = [0xb9];
  const table = [0x42, 0x0e, 0x10, 0x42, 0x0e, 0x08, 0x45, 0x0e];
  const parts = [BEFORE, movToMemory, STOCK, movToRegister, STOCK, table, STOCK];
  const library = Uint8Array.from(parts.flat());
  expect(makePatient(library)).toBe(2);
  const wanted = [BEFORE, movToMemory, PATIENT, movToRegister, PATIENT, table, STOCK];
  expect(library).toEqual(Uint8Array.from(wanted.flat()));
});
