/**
 * A page with the SDK and nothing else: tests call it from outside. The SDK stays in a file of its own.
 */
void import('../../../src/index').then((sdk) => {
  Object.assign(window, { sdk });
});
