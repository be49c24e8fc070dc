/**
 * libxl gives a hotplug script 40 seconds (LIBXL_HOTPLUG_TIMEOUT, tools/libs/light/libxl_internal.h), compiled in. An
 * emulated dom0 on a busy machine can need longer, and a guest would then fail to start for a reason that no real host
 * has. The lab's copy of the library waits ten minutes; nothing else in it is changed.
 */

const STOCK_MS = 40_000;
const PATIENT_MS = 600_000;

/** Is the 32-bit value at `at` the operand of an x86 instruction that stores or loads a constant? */
function isOperand(library: Uint8Array, at: number): boolean {
  const before = (count: number) => library[at - count] ?? 0;
  // mov reg, imm32: b8 to bf, then the value
  if (before(1) >= 0xb8 && before(1) <= 0xbf) return true;
  // mov dword [reg + disp32], imm32: c7 80 to 87, four bytes of displacement, the value
  return before(6) === 0xc7 && before(5) >= 0x80 && before(5) <= 0x87;
}

/** Changes the library's bytes in place; returns how many places it changed. */
export function makePatient(library: Uint8Array): number {
  const view = new DataView(library.buffer, library.byteOffset, library.byteLength);
  let changed = 0;
  for (let at = 6; at + 4 <= library.length; at++) {
    if (library[at] !== (STOCK_MS & 0xff)) continue;
    if (view.getUint32(at, true) !== STOCK_MS || !isOperand(library, at)) continue;
    view.setUint32(at, PATIENT_MS, true);
    changed++;
  }
  return changed;
}
