/** The memory of the workerd processes that this process started. Linux only: it reads /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** Whether it can be measured here. */
export const canMeasure = process.platform === "linux";

/** Resident bytes of all workerd processes below this one. */
function runtimeBytes(): number {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return [{ pid: Number(pid), name, parent: Number(fields[1]), pages: Number(fields[21]) }];
      } catch {
        return [];
      }
    });
  const parents = new Map(processes.map(({ pid, parent }) => [pid, parent]));
  const isBelow = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at))
      if (at === process.pid) return true;
    return false;
  };
  const own = processes.filter(({ pid, name }) => name === "workerd" && isBelow(pid));
  return own.reduce((sum, { pages }) => sum + pages, 0) * 4096;
}

/** Runs `work` and says by how many bytes the runtimes' memory was above what it was before, at most. */
export async function growthDuring(work: () => Promise<unknown>): Promise<number> {
  const before = runtimeBytes();
  if (before === 0) throw new Error("no workerd process is below this one");
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, runtimeBytes());
  }, 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, runtimeBytes()) - before;
}
