/**
 * When to say that this side is alive, and when to take the other one for dead. Pure, and counted in ticks that this side
 * itself has lived through: a side that was stopped, or a machine that slept, does not blame the other one for it.
 */

/** Of silence from the other side, before it is taken for dead. */
export const TIMEOUT_TICKS = 12;

export class Pulse {
  #silentTicks = 0;
  #saidSomething = true;

  /** Bytes came, whole frames or not. */
  heard(): void {
    this.#silentTicks = 0;
  }

  /** Something was sent. */
  said(): void {
    this.#saidSomething = true;
  }

  /**
   * What a tick asks for. `listening`: this side waits for bytes; while it does not, silence says nothing about the other
   * side. `writing`: something waits to be taken by the pipe: an `alive` would only wait behind it.
   */
  tick({ listening, writing }: { readonly listening: boolean; readonly writing: boolean }) {
    this.#silentTicks = listening ? this.#silentTicks + 1 : 0;
    const sayAlive = !this.#saidSomething && !writing;
    this.#saidSomething = false;
    return { sayAlive, dead: this.#silentTicks >= TIMEOUT_TICKS };
  }
}
