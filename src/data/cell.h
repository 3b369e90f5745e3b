/* What the text of a table's cell is: a number, a missing value, a date. */
#ifndef COSET_DATA_CELL_H
#define COSET_DATA_CELL_H

#include <stdbool.h>
#include <stddef.h>

/* A decimal number, also "inf" and "nan" in their usual spellings; correctly rounded and independent
 * of the process's locale. Besides '.', `point` separates the fraction. Leading and trailing blanks
 * are not part of a number. Text of 800 characters and more is none. */
bool cell_number(const char *text, size_t length, char point, double *value_out);

/* "", "?", NA, N/A, NaN, null, #N/A, in any case. */
bool cell_missing(const char *text, size_t length);

/* Begins as a date or a time of day does: 2012-10-02, 2/10/12, 02.10.2012, 2 Oct 2012, 09:00. */
bool cell_date(const char *text, size_t length);

#endif
