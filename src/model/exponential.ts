/**
 * The exponential function with the same bits in every JavaScript engine: of Math.exp the last bit differs between engines.
 * Nothing but IEEE sums, products and quotients in a fixed order.
 */

/**
 * e to the power of a finite number. The argument is halved until its series needs few terms, and the result squared as often.
 * Relative error below 1e-13 for -100..100; 0 or Infinity where float64 ends.
 */
export function exponential(power: number): number {
  let argument = power;
  let halvings = 0;
  while (Math.abs(argument) > 1 / 16) {
    argument /= 2;
    halvings += 1;
  }
  let value = 1;
  for (let term = 12; term >= 1; term -= 1) value = 1 + (argument / term) * value;
  for (let i = 0; i < halvings; i += 1) value *= value;
  return value;
}
