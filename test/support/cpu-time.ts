/**
 * Starts a clock of processor time: a busy machine does not make code slower by it, so a bound catches an algorithm that is
 * wrong and not a neighbour. Returns the milliseconds since.
 */
export function cpuTime(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}
