#include "environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "harden.h"
#include "spec.h"

void environment_add(char ***list, const char *text)
{
    size_t name = strcspn(text, "=");
    char *variable;

    if (name == 0)
        fail("variable '%s': is not NAME or NAME=VALUE", text);
    if (text[name] != '\0') {
        list_add(list, text);
        return;
    }
    const char *value = getenv(text);
    if (value == NULL)
        return;
    if (asprintf(&variable, "%s=%s", text, value) == -1)
        die("asprintf");
    list_add(list, variable);
}

void environment_add_file(char ***list, const char *path)
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
        environment_add(list, text);
    }
    if (file == NULL || ferror(file))
        die("env file %s", path);
    free(line);
    fclose(file);
}

void environment_set(char **list, const char *hostname, const char *home)
{
    char *terminal = getenv("TERM") != NULL ? strdup(getenv("TERM")) : NULL;

    clearenv();
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", home, 1);
    setenv("HOSTNAME", hostname, 1);
    if (terminal != NULL)
        setenv("TERM", terminal, 1);
    free(terminal);
    for (; list != NULL && *list != NULL; list++)
        putenv(*list);
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
