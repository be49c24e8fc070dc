/** For bounds on work: what a busy machine makes of the wall clock says nothing about the code. */

/** Processor time of this process since `start`, which `process.cpuUsage()` gave, in milliseconds. */
export function processorMs(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
