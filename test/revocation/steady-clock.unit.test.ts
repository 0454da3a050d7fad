import { expect, test } from "vitest";
import { createSteadyClock } from "../../src/revocation/steady-clock.ts";

function clockAt(start: number) {
  let wall = start;
  const clock = createSteadyClock(() => wall);
  return {
    clock,
    set: (to: number) => {
      wall = to;
      return clock.at(wall);
    },
  };
}

test("a steady clock runs with the clock on the wall", () => {
  const { set } = clockAt(1000);
  expect([set(1000), set(1500), set(4000)]).toEqual([0, 500, 3000]);
});

test("a steady clock counts a jump back as no time, and goes on from there", () => {
  const { set } = clockAt(100_000);
  expect([set(101_000), set(50_000), set(50_400)]).toEqual([1000, 1000, 1400]);
});

test("a steady clock counts a jump ahead, and does not give it back", () => {
  const { set } = clockAt(100_000);
  expect([set(900_000), set(100_000), set(100_001)]).toEqual([800_000, 800_000, 800_001]);
});

test("a steady clock that is handed an old time counts the time that has gone by since, which it reads itself", () => {
  let [wall, reads] = [0, 0];
  const clock = createSteadyClock(() => {
    reads++;
    return wall;
  });
  wall = 5000;
  expect([clock.at(5000), clock.at(5000), reads]).toEqual([5000, 5000, 1]);
  wall = 5600;
  expect([clock.at(5000), reads]).toEqual([5000, 1]);
  expect([clock.at(4000), reads]).toEqual([5600, 2]);
  expect([clock.at(6000), reads]).toEqual([6000, 2]);
});

test("a request that read the time before another one did moves nothing", () => {
  const { clock, set } = clockAt(0);
  set(5000);
  expect([clock.at(4000), clock.at(4500), clock.at(5000), clock.at(4000)]).toEqual([5000, 5000, 5000, 5000]);
});
