/**
 * An XDP program of one's own, from TypeScript: compiled, attached to an interface, and its maps read while it runs. It asks for Linux, libbpf
 * 1.0 or later, clang, and root.
 *
 *     import { load } from 'orla/packet'
 *
 *     using program = await load('count-by-port.c', { interface: 'eth0' })
 *     program.onTrace(({ text }) => console.log(text))
 *     program.maps.events?.onEvent((event) => console.log(event))
 *     …
 *     for (const [port, packets] of program.maps.packets!.entries()) console.log(port, packets)
 *     program.actions()      // { pass: 5, drop: 0, aborted: 0, tx: 0, redirect: 0, other: 0 }
 *
 * The program leaves the interface with `close()`, which `using` calls, or with the process, also when it is killed. Keys and values are what
 * the source says: numbers, texts, objects with the names of a struct's members; `__be32` is an IPv4 address and `__be16` a port. What is
 * wrong is an `EdgeError` with a `code` and a `hint`. See `docs/guides/packets.md`.
 */
export { EdgeError } from '../base/errors.ts'
export { load, type LoadOptions } from './load/load.ts'
export type { LoadedProgram, Trial } from './load/loaded-program.ts'
export type { Bar, EventContext, LoadedMap, MapEntry, MapLook, OnEvent } from './load/loaded-map.ts'
export { ProgramRefused } from './load/program-refused.ts'
export type { SourceProblem } from './load/source-problem.ts'
export { ACTIONS, type Action, type ActionCounts, type TraceLine } from './load/watching.ts'
export type { Value } from './load/values.ts'
export type { MapType } from './libbpf-map.ts'
