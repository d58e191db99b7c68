/* Writing JSON, for --json. Reading it is chapter 9's. */
#ifndef JSON_PRINT_H
#define JSON_PRINT_H

#include "state.h"

/* Either side. TEXT as a JSON string on standard output. What is not UTF-8 becomes U+FFFD. */
void json_print_string(const char *text);

/* Either side. The members of an object that STATE is, without the braces around them. */
void json_print_state(const struct state *state);

#endif
