#include "environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "harden.h"

void environment_add(struct environment *environment, char *text)
{
    size_t name = strcspn(text, "=");
    char *variable = text;

    if (name == 0)
        fail("variable '%s': is not NAME or NAME=VALUE", text);
    if (text[name] == '\0') {
        const char *value = getenv(text);
        if (value == NULL)
            return;
        if (asprintf(&variable, "%s=%s", text, value) == -1)
            die("asprintf");
    }
    environment->variables =
        realloc(environment->variables, ((size_t)environment->count + 1) * sizeof(variable));
    if (environment->variables == NULL)
        die("realloc");
    environment->variables[environment->count++] = variable;
}

void environment_add_file(struct environment *environment, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;

    for (int number = 1; file != NULL && getline(&line, &size, file) != -1; number++) {
        line[strcspn(line, "\n")] = '\0';
        size_t length = strlen(line);
        if (length > 0 && line[length - 1] == '\r') /* from another system's editor */
            line[length - 1] = '\0';
        char *text = strdup(line + strspn(line, " \t"));
        if (text == NULL)
            die("strdup");
        if (text[0] == '\0' || text[0] == '#')
            continue;
        if (text[strcspn(text, "= \t")] != '=' && text[strcspn(text, "= \t")] != '\0')
            fail("%s, line %d: invalid variable '%s': expected NAME=VALUE or NAME", path, number,
                 text);
        environment_add(environment, text);
    }
    if (file == NULL || ferror(file))
        die("env file %s", path);
    free(line);
    fclose(file);
}

void environment_append(struct environment *environment, const struct environment *more)
{
    for (int i = 0; i < more->count; i++)
        environment_add(environment, more->variables[i]);
}

int environment_write(const struct environment *environment, const char *path)
{
    FILE *file = fopen(path, "we");

    if (file == NULL)
        return report("write %s", path);
    for (int i = 0; i < environment->count; i++) {
        for (const char *c = environment->variables[i]; *c != '\0'; c++)
            if (*c == '\n' || *c == '\\')
                fprintf(file, "\\%c", *c == '\n' ? 'n' : '\\');
            else
                fputc(*c, file);
        fputc('\n', file);
    }
    return fclose(file) == 0 ? 0 : report("write %s", path);
}

struct environment environment_read(const char *path)
{
    struct environment environment = {.count = 0};
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;

    while (file != NULL && getline(&line, &size, file) != -1) {
        char *to = line;
        for (const char *from = line; *from != '\0' && *from != '\n'; from++)
            if (*from == '\\' && from[1] != '\0')
                *to++ = *++from == 'n' ? '\n' : *from;
            else
                *to++ = *from;
        *to = '\0';
        environment_add(&environment, strdup(line));
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return environment;
}

void environment_set(const struct environment *environment, const char *hostname, const char *home)
{
    char *terminal = getenv("TERM") != NULL ? strdup(getenv("TERM")) : NULL;

    clearenv();
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", home, 1);
    setenv("HOSTNAME", hostname, 1);
    if (terminal != NULL)
        setenv("TERM", terminal, 1);
    free(terminal);
    for (int i = 0; i < environment->count; i++)
        putenv(environment->variables[i]);
}

void environment_enter(const char *directory)
{
    if (directory == NULL || directory[0] == '\0')
        directory = "/";
    if (chdir(directory) == -1) {
        if (errno == ENOENT)
            hint("it has to exist in the root directory of the box");
        die("working directory %s", directory);
    }
    harden_check_directory();
}
