/**
 * Keeps units from making objects that only the guest makes.
 *
 * Every object leads to its class (`request.constructor`), and a class that took any argument would let a unit put its own
 * object where the guest expects an invocation, with an id that is no number but a whole forged record.
 */
export const FROM_GUEST: unique symbol = Symbol('guest')

export function checkMaker(maker: unknown): void {
  if (maker !== FROM_GUEST) throw new TypeError('Illegal constructor')
}
