/* The word that somebody meant. */
#ifndef COSET_CLI_NEAREST_H
#define COSET_CLI_NEAREST_H

/* The candidate that the word is most likely meant to be; NULL if none is near. */
const char *nearest_word(const char *word, const char *const *candidates, int n);

/* 0 if there is a method of this name, else one line on standard error and EXIT_USAGE. */
int check_method(const char *name);
/* The same for methods in turn, as "a+b". */
int check_methods(const char *names);

#endif
