/** A few instructions of BPF, by name: eight bytes each, as linux/bpf.h has them. `loadMap` and `loadMapValue` are two of them. */

export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10

/** Functions of the kernel that programs call, by the numbers of linux/bpf.h. */
export const HELPERS = {
  ktime_get_ns: 5,
  get_smp_processor_id: 8,
  probe_read_kernel_str: 115,
  ringbuf_reserve: 131,
  ringbuf_submit: 132,
} as const

interface Fields {
  readonly to?: number
  readonly from?: number
  readonly offset?: number
  readonly value?: number
}

function instruction(code: number, { to = 0, from = 0, offset = 0, value = 0 }: Fields): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt8(code, 0)
  bytes.writeUInt8((from << 4) | to, 1)
  bytes.writeInt16LE(offset, 2)
  bytes.writeInt32LE(value, 4)
  return bytes
}

export const move = (to: Register, from: Register) => instruction(0xbf, { to, from })
/** The lower 32 bits; the upper ones become zero. */
export const move32 = (to: Register, from: Register) => instruction(0xbc, { to, from })
export const set = (to: Register, value: number) => instruction(0xb7, { to, value })
export const add = (to: Register, from: Register) => instruction(0x0f, { to, from })
export const addValue = (to: Register, value: number) => instruction(0x07, { to, value })
export const mask = (to: Register, value: number) => instruction(0x57, { to, value })
export const shiftLeft = (to: Register, value: number) => instruction(0x67, { to, value })
/** `to = *(u64 *)(from + offset)` */
export const load64 = (to: Register, from: Register, offset: number) =>
  instruction(0x79, { to, from, offset })
/** `*(u64 *)(to + offset) = from` */
export const store64 = (to: Register, offset: number, from: Register) =>
  instruction(0x7b, { to, from, offset })
/** `*(u64 *)(to + offset) = value` */
export const storeValue64 = (to: Register, offset: number, value: number) =>
  instruction(0x7a, { to, offset, value })
/** Goes on `skip` instructions further where the register is equal to the value. */
export const skipIfEqual = (register: Register, value: number, skip: number) =>
  instruction(0x15, { to: register, value, offset: skip })
/** The same where it is at most the value, both taken as unsigned. */
export const skipIfAtMost = (register: Register, value: number, skip: number) =>
  instruction(0xb5, { to: register, value, offset: skip })
export const callHelper = (name: keyof typeof HELPERS) => instruction(0x85, { value: HELPERS[name] })
/** Calls a function of the same program, `skip` instructions further. */
export const callFunction = (skip: number) => instruction(0x85, { from: 1, value: skip })
export const exit = () => instruction(0x95, {})
/** The map of a descriptor: what helpers are given. */
export const loadMap = (to: Register, fd: number) => wide(to, 1, fd)
/** The address of the first value of an array. */
export const loadMapValue = (to: Register, fd: number) => wide(to, 2, fd)

function wide(to: Register, from: number, value: number): Buffer {
  return Buffer.concat([instruction(0x18, { to, from, value }), instruction(0, {})])
}

/** Where the functions of a program begin, in order: the first, and those that are called or handed on. */
export function functionsIn(instructions: Buffer): readonly number[] {
  const starts = new Set([0])
  for (let at = 0; at < instructions.length / 8; at++) {
    const [operation, from] = [instructions[at * 8]!, instructions[at * 8 + 1]! >> 4]
    const isCall = operation === 0x85 && from === 1
    const isHandedOn = operation === 0x18 && from === 4
    if (isCall || isHandedOn) starts.add(at + 1 + instructions.readInt32LE(at * 8 + 4))
    // It takes the place of two.
    if (operation === 0x18) at++
  }
  return [...starts].toSorted((a, b) => a - b)
}
